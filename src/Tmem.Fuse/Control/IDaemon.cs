using Tmem.Control.Messages;
using Tmem.Engine;

namespace Tmem.Fuse.Control;

/// <summary>What the management API asks of the daemon itself, so that the API can be tested without a kernel.</summary>
internal interface IDaemon
{
    /// <summary>The daemon's version.</summary>
    string Version { get; }

    /// <summary>Where the file system is mounted: absolute, symbolic links resolved.</summary>
    string MountPoint { get; }

    /// <summary>
    /// The minor number of the mount's device (the major one is 0), which is its directory under /sys/fs/fuse/connections; -1 if
    /// unknown.
    /// </summary>
    int Connection { get; }

    /// <summary>The region for people: a file's path, or what it is instead ("memory").</summary>
    string RegionName { get; }

    /// <summary>When the daemon was started; restarts of its worker do not count.</summary>
    DateTimeOffset StartedAt { get; }

    /// <summary>Session threads.</summary>
    int Threads { get; }

    /// <summary>The codec of new pages where it is not each pool's own; else null.</summary>
    string? Codec { get; }

    /// <summary>
    /// Decides whether the daemon may end and, if so, sets its end in motion and returns without waiting for it. The reply of the
    /// caller is still sent: <see cref="ControlServer.Dispose"/> waits for it.
    /// </summary>
    /// <param name="wanted">Asked before what cannot be undone: whether the caller still waits. If it does not, nothing is
    /// done.</param>
    /// <param name="reason">When false: what stands in the way, a sentence that names it; else empty.</param>
    bool TryStop(Func<bool> wanted, out string reason);

    /// <summary>Some of those who have files of a pool open, each with the file, in words; empty if none can be seen.</summary>
    IReadOnlyList<string> HoldersOf(string pool);

    /// <summary>The daemon's processes, and what became of those before them.</summary>
    ProcessFigures Processes { get; }

    /// <summary>
    /// Has a new worker get ready beside this one. True when it is, and this one is about to end for it, once the reply of the
    /// caller is sent.
    /// </summary>
    /// <param name="wish">What is to change.</param>
    /// <param name="wanted">Asked before it is begun: whether the caller still waits. If it does not, nothing is done.</param>
    /// <param name="reason">When false: why this worker serves on.</param>
    bool TryUpgrade(UpgradeParameters wish, Func<bool> wanted, out string reason);

    /// <summary>Starts a keeper if there is none.</summary>
    /// <param name="reason">When false: why there is still none.</param>
    bool TryAdopt(out string reason);
}

/// <summary>What the management API asks of the engine: the engine's own two methods, so that tests need no region.</summary>
internal interface IEngineView
{
    /// <inheritdoc cref="TmemEngine.Statistics"/>
    EngineStatistics Statistics();

    /// <inheritdoc cref="TmemEngine.Verify"/>
    VerifierReport Verify();
}

/// <summary>The real engine, verified while others work.</summary>
internal sealed class EngineView(TmemEngine engine) : IEngineView
{
    /// <inheritdoc/>
    public EngineStatistics Statistics() => engine.Statistics();

    /// <inheritdoc/>
    public VerifierReport Verify() => engine.Verify();
}
