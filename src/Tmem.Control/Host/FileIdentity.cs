namespace Tmem.Control.Host;

/// <summary>Which file it is, whatever its name and whoever looks: device and inode.</summary>
internal readonly record struct FileIdentity(uint Major, uint Minor, ulong Inode)
{
    /// <summary>Whether it lies on the tmem mount with this connection.</summary>
    public bool IsOn(int connection) => Major == 0 && Minor == (uint)connection;
}
