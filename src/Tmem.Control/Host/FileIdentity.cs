namespace Tmem.Control.Host;

/// <summary>Identity of a file, whatever its name and its viewer: device and inode.</summary>
internal readonly record struct FileIdentity(uint Major, uint Minor, ulong Inode)
{
    /// <summary>Whether it lies on the tmem mount with this connection.</summary>
    public bool IsOn(int connection) => Major == 0 && Minor == (uint)connection;
}
