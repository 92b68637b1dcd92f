namespace Tmem.Ctl.Recover;

/// <summary>A tmem mount, with the processes that have its connection open.</summary>
/// <param name="MountPoint">Absolute path.</param>
/// <param name="Connection">Its number under /sys/fs/fuse/connections.</param>
/// <param name="Holders">"tmemd (process 123)"; none: the connection is dead.</param>
/// <param name="IsServed">Whether one of them is a tmemd.</param>
internal sealed record TmemMount(string MountPoint, int Connection, IReadOnlyList<string> Holders, bool IsServed);

/// <summary>What <c>recover</c> needs of the kernel beside swap. Actions return null when done, else why not.</summary>
internal interface IMountSystem
{
    /// <summary>All tmem mounts, found without touching any.</summary>
    IReadOnlyList<TmemMount> Mounts();

    /// <summary>Whether the kernel says that the connection of this mount is gone. Only for a mount without holders: else it could wait.</summary>
    bool IsDead(string mountPoint);

    /// <summary>Ends a connection for everybody.</summary>
    string? Abort(int connection);

    /// <summary>Unmounts; <paramref name="lazily"/>: out of sight now, and gone when the last file on it is closed.</summary>
    string? Unmount(string mountPoint, bool lazily);

    /// <summary>Removes a socket that nobody listens on; false if there is none, or somebody does.</summary>
    bool RemoveStaleSocket(string path);
}
