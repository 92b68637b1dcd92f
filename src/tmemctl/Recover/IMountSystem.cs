namespace Tmem.Ctl.Recover;

/// <summary>The state of a mount's connection.</summary>
internal enum MountState
{
    /// <summary>It answers: a process serves it.</summary>
    Answers,

    /// <summary>The kernel reports that the connection has ended. It does so at once, and finally.</summary>
    Dead,

    /// <summary>
    /// No answer within the time: a daemon that is slow, stopped, or in another namespace, or a process that holds the connection
    /// and does not serve.
    /// </summary>
    Silent,
}

/// <summary>A tmem mount of root's.</summary>
/// <param name="MountPoint">Absolute path.</param>
/// <param name="Connection">Its number under /sys/fs/fuse/connections.</param>
/// <param name="Holders">The processes that have it open, where the kernel tells: "tmemd (process 123)". An empty list is no
/// proof: a process may be in another namespace.</param>
internal sealed record TmemMount(string MountPoint, int Connection, IReadOnlyList<string> Holders);

/// <summary>The kernel as <c>recover</c> uses it, beside swap. Actions return null when done, else why not.</summary>
internal interface IMountSystem
{
    /// <summary>All tmem mounts of root's, found without touching any.</summary>
    IReadOnlyList<TmemMount> Mounts();

    /// <summary>Asks the kernel. Returns within some seconds, whatever the mount does.</summary>
    MountState State(TmemMount mount);

    /// <summary>The mount on top of it, which prevents asking and unmounting; null if there is none.</summary>
    string? Over(TmemMount mount);

    /// <summary>Whether it has gone since it was found.</summary>
    bool IsGone(TmemMount mount);

    /// <summary>A mount below it, which would go with it; null if there is none.</summary>
    string? Below(TmemMount mount);

    /// <summary>Unmounts; <paramref name="lazily"/>: detached now, and gone when the last file on it is closed.</summary>
    string? Unmount(TmemMount mount, bool lazily);

    /// <summary>
    /// Lets go of what this process has on a mount: working directory, inherited descriptors, a copy of the mount that nobody
    /// else sees.
    /// </summary>
    /// <param name="connection">The minor number of its device.</param>
    /// <returns>Null, or what must be taken from it by the caller.</returns>
    string? Leave(int connection);

    /// <summary>Removes a socket of root's that nobody listens on.</summary>
    /// <param name="path">Where.</param>
    /// <param name="left">Why the file there was left; null if it was removed, is served, or does not exist.</param>
    /// <returns>Whether it was removed.</returns>
    bool RemoveStaleSocket(string path, out string? left);
}
