using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>The daemon as the management API uses it, so that the API can be tested without a kernel.</summary>
internal interface IDaemon
{
    /// <summary>The version of the program that serves.</summary>
    string Version { get; }

    /// <summary>The commit that it was built from; null if it does not know.</summary>
    string? Commit { get; }

    /// <summary>Where the file system is mounted: absolute, symbolic links resolved.</summary>
    string MountPoint { get; }

    /// <summary>
    /// The minor number of the mount's device (the major one is 0), which is its directory under /sys/fs/fuse/connections; -1 if
    /// unknown.
    /// </summary>
    int Connection { get; }

    /// <summary>The region as shown to people: a file's path, or its kind ("memory").</summary>
    string RegionName { get; }

    /// <summary>When the daemon was started; restarts of its worker do not count.</summary>
    DateTimeOffset StartedAt { get; }

    /// <summary>Session threads.</summary>
    int Threads { get; }

    /// <summary>The codec of new pages if it is set for all pools; else null.</summary>
    string? Codec { get; }

    /// <summary>What else it was told.</summary>
    RunningSettings Settings { get; }

    /// <summary>Has later workers keep a capacity that was changed.</summary>
    void KeepCapacity(long bytes);

    /// <summary>
    /// Decides whether the daemon may end and, if so, begins the end and returns without waiting for it. The caller's reply is
    /// still sent: <see cref="ControlServer.Dispose"/> waits for it.
    /// </summary>
    /// <param name="discard">Whether a region's file that cannot be written, or has been removed, is no obstacle.</param>
    /// <param name="wanted">Whether the caller still waits: asked before an irreversible step. If not, nothing is done.</param>
    /// <param name="reason">
    /// When false: the obstacle, a sentence that names it, and what to do behind a semicolon if that is known; else empty.
    /// </param>
    /// <param name="lostBytes">When true: memory of the store whose contents are lost.</param>
    bool TryStop(bool discard, Func<bool> wanted, out string reason, out long lostBytes);

    /// <summary>
    /// Whether <see cref="TryStop"/> would end the daemon if no swap were on it, as far as that can be told now; the region's
    /// file is written, and nothing else is done.
    /// </summary>
    /// <param name="discard">As there.</param>
    /// <param name="reason">As there.</param>
    /// <param name="lostBytes">As there.</param>
    bool MayStop(bool discard, out string reason, out long lostBytes);

    /// <summary>
    /// Some of the processes that have files of a pool open, each with the file, in words; empty if none can be seen.
    /// </summary>
    IReadOnlyList<string> HoldersOf(string pool);

    /// <summary>The daemon's processes, and the fate of earlier ones.</summary>
    ProcessFigures Processes { get; }

    /// <summary>How long requests took, a kind each.</summary>
    IReadOnlyList<RequestLatencies> Requests { get; }

    /// <summary>
    /// Has a new worker get ready beside this one. True when it is ready and this one is about to retire, once the caller's reply
    /// is sent.
    /// </summary>
    /// <param name="wish">The changes.</param>
    /// <param name="wanted">Whether the caller still waits: asked before it begins. If not, nothing is done.</param>
    /// <param name="reason">When false: why this worker continues to serve.</param>
    bool TryUpgrade(UpgradeParameters wish, Func<bool> wanted, out string reason);

    /// <summary>Starts a keeper if there is none.</summary>
    /// <param name="reason">When false: why there is still none.</param>
    bool TryAdopt(out string reason);
}
