namespace Tmem.Ctl.Recover;

/// <summary>What is known of a mount's connection.</summary>
internal enum MountState
{
    /// <summary>It answers: somebody serves it.</summary>
    Answers,

    /// <summary>The kernel says that the connection is over. It does so at once, and never takes it back.</summary>
    Dead,

    /// <summary>
    /// No answer within the time: a daemon that is slow, stopped, or out of sight, or a process that holds the connection and
    /// does not serve.
    /// </summary>
    Silent,
}

/// <summary>A tmem mount of root's.</summary>
/// <param name="MountPoint">Absolute path.</param>
/// <param name="Connection">Its number under /sys/fs/fuse/connections.</param>
/// <param name="Holders">Who has it open, where the kernel tells: "tmemd (process 123)". None is no proof: a process may be out
/// of sight.</param>
internal sealed record TmemMount(string MountPoint, int Connection, IReadOnlyList<string> Holders);

/// <summary>What <c>recover</c> needs of the kernel beside swap. Actions return null when done, else why not.</summary>
internal interface IMountSystem
{
    /// <summary>All tmem mounts of root's, found without touching any.</summary>
    IReadOnlyList<TmemMount> Mounts();

    /// <summary>Asks the kernel. Ends within some seconds, whatever the mount does.</summary>
    MountState State(TmemMount mount);

    /// <summary>What lies over it, so that it can neither be asked nor unmounted; null if nothing.</summary>
    string? Over(TmemMount mount);

    /// <summary>What is mounted below it, which would go with it; null if nothing.</summary>
    string? Below(TmemMount mount);

    /// <summary>Unmounts; <paramref name="lazily"/>: out of sight now, and gone when the last file on it is closed.</summary>
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
    /// <param name="left">Why what lies there was left; null if it was removed, is served, or nothing is there.</param>
    /// <returns>Whether it was removed.</returns>
    bool RemoveStaleSocket(string path, out string? left);
}
