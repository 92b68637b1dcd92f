using System.Net.Sockets;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The daemon while this worker serves it: what the management and signals may ask for, until the mount is gone or another
/// worker's. A refused stop (swap is on the mount, a file is open, the region's file cannot be written) changes nothing; ask
/// again later.
/// </summary>
internal sealed class RunningDaemon : IDaemon
{
    /// <summary>How long an upgrade waits for management calls under way.</summary>
    private static readonly TimeSpan s_callPatience = TimeSpan.FromSeconds(10);

    private readonly Handover _handover;
    private readonly ServedMount _mount;
    private readonly KeeperPeer _keeper;
    private readonly Composition _composition;
    private readonly Lock _stopLock = new();
    private readonly ControlGate _calls = new();
    private ControlServer? _control;
    /// <summary>The mount is another worker's, or gone: this worker only has to end.</summary>
    private bool _isOver;

    public RunningDaemon(Handover handover, ServedMount mount, Link line, Composition composition)
    {
        _composition = composition;
        _handover = handover;
        _mount = mount;
        _keeper = new KeeperPeer(handover, line, Retire);
        ref var settings = ref handover.Page.Current;
        Threads = settings.Threads;
        Codec = Composition.CodecOf(in settings)?.Name();
        Settings = new RunningSettings
        {
            Spin = settings.SpinMicroseconds,
            Log = (LogWish)settings.LogLevel,
            SyncInterval = settings.SyncSeconds,
            HugePages = settings.HugePages != 0,
            Recompress = RecompressionWish.Of(settings.Recompression).Percent,
            RecompressLevel = RecompressionWish.Of(settings.Recompression).Level,
            SocketGroup = handover.SocketGroup,
        };
        RegionName = composition.RegionName;
    }

    /// <inheritdoc/>
    public string Version => ProgramVersion.Number;

    /// <inheritdoc/>
    public string? Commit => ProgramVersion.Commit;

    /// <inheritdoc/>
    public string MountPoint => _mount.MountPoint;

    /// <inheritdoc/>
    public int Connection => _mount.Connection;

    /// <inheritdoc/>
    public string RegionName { get; }

    /// <inheritdoc/>
    public DateTimeOffset StartedAt => DateTimeOffset.FromUnixTimeMilliseconds(_handover.Page.FirstStartUnixMilliseconds);

    /// <inheritdoc/>
    public int Threads { get; }

    /// <inheritdoc/>
    public string? Codec { get; }

    /// <inheritdoc/>
    public RunningSettings Settings { get; }

    /// <inheritdoc/>
    public ProcessFigures Processes
    {
        get
        {
            ref var page = ref _handover.Page;
            return new ProcessFigures
            {
                WorkerPid = Environment.ProcessId,
                StandbyPid = page.StandbyProcess,
                KeeperPid = _keeper.IsWatched ? page.KeeperProcess : 0,
                KeeperVersion = _keeper.IsWatched ? _handover.KeeperVersion : null,
                Restarts = page.Restarts,
                Revivals = page.Revivals,
                Upgrades = page.Upgrades,
                LastDeath = page.LastDeath.Process == 0 ? null : DeathWords.Describe(in page.LastDeath),
                LastDeathAt = page.LastDeath.Process == 0 ? null
                    : DateTimeOffset.FromUnixTimeMilliseconds(page.LastDeath.UnixMilliseconds),
                KeeperAllocatedBytes = page.KeeperAllocatedBytes,
                SwapDanger = MemoryGroup.Read().Danger,
                Program = Handover.ProgramPathOf(in page.Current),
                UpgradeProblem = _handover.UpgradeProblem is { Length: > 0 } problem ? problem : null,
            };
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<RequestLatencies> Requests => LatencyFigures.Of(_mount);

    /// <summary>The mount is another worker's, which decides about it.</summary>
    public bool GivesWay { get; private set; }

    /// <summary>Begins to answer the keeper and the management.</summary>
    /// <returns>The management's server.</returns>
    public ControlServer Start()
    {
        // Before an upgrade can be asked for: the keeper then knows that this worker serves.
        _keeper.Start();
        Heartbeat.Begin(_handover, _mount);
        return _control = _composition.StartControl(this, _handover, _calls);
    }

    /// <summary>Called when the mount is gone: a stop from here on has nothing left to do.</summary>
    public void NoteEnd()
    {
        lock (_stopLock) _isOver = true;
    }

    /// <inheritdoc/>
    public bool TryStop(bool discard, Func<bool> wanted, out string reason, out long lostBytes)
    {
        (reason, lostBytes) = ("", 0);
        // First, while everything can still be refused: ending with a file that cannot be written loses the rest. It may take
        // long, and so may the wait for another stop: a caller that has been told of a failure meanwhile no longer wants it.
        using var rights = ProcessRights.Raise();
        lock (_stopLock)
        {
            if (_isOver) return true;
            reason = Unwritten(discard, out lostBytes);
            // Before the unmount, behind which another thread ends the process.
            _composition.IsGivenUp = discard;
            if (reason.Length == 0) reason = _mount.TryStop(_composition.OpenFiles, wanted) ?? "";
            if (reason.Length > 0) _composition.IsGivenUp = false;
        }
        if (reason.Length == 0 && lostBytes > 0)
            Log.Warning($"stopping as asked, and {ByteSize.Format(lostBytes)} of the store are lost");
        return reason.Length == 0;
    }

    /// <inheritdoc/>
    public bool MayStop(bool discard, out string reason, out long lostBytes)
    {
        (reason, lostBytes) = ("", 0);
        using var rights = ProcessRights.Raise();
        lock (_stopLock)
        {
            if (_isOver) return true;
            reason = Unwritten(discard, out lostBytes);
            if (reason.Length == 0) reason = _mount.Obstacle(passesSwap: true, out _) ?? "";
        }
        return reason.Length == 0;
    }

    /// <summary>Why the region's file, which is written, is in the way of a stop; empty if it is not.</summary>
    private string Unwritten(bool discard, out long lostBytes)
    {
        lostBytes = 0;
        if (_composition.MakeDurable() is not var (why, bytes)) return "";
        lostBytes = bytes;
        return discard ? "" : why;
    }

    /// <inheritdoc/>
    public void KeepCapacity(long bytes)
    {
        // A stand-by was started with what is proposed, and takes the capacity from there when its turn comes.
        _handover.Page.Current.CapacityBytes = _handover.Page.Proposed.CapacityBytes = bytes;
        Log.Info($"the store has a capacity of {ByteSize.Format(bytes)} from now on");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> HoldersOf(string pool)
    {
        using var rights = ProcessRights.Raise();
        var (found, silent) = MountHolders.FindBelow(Path.Combine(MountPoint, pool), Connection);
        return found.Count > 0 ? found : [.. silent.Select(process => $"one perhaps by {process}, which does not answer")];
    }

    /// <inheritdoc/>
    public bool TryUpgrade(UpgradeParameters wish, Func<bool> wanted, out string reason)
    {
        reason = "whoever asked has hung up";
        if (!wanted()) return false;
        var settings = _handover.Page.Current;
        settings.Threads = wish.Threads ?? settings.Threads;
        settings.SpinMicroseconds = wish.Spin ?? settings.SpinMicroseconds;
        if (wish.Log is { } level) settings.LogLevel = (int)level;
        if (wish.Codec is { } codec) settings.Codec = (int)codec;
        var path = wish.Binary ?? Handover.ProgramPathOf(in settings);
        var why = $"an upgrade to {path} is under way";
        if (!_calls.TryHold(why, s_callPatience, out var inTheWay))
        {
            reason = $"{inTheWay}; wait until that is done";
            return false;
        }
        var program = -1;
        try
        {
            // A resize may have come first.
            settings.CapacityBytes = _handover.Page.Current.CapacityBytes;
            reason = ProgramFile.TryOpen(path, wish.Binary is not null, ref settings, IsServedByTmem, out program)
                ?? (wanted() ? _keeper.TryUpgrade(in settings, program, wanted) : "whoever asked has hung up") ?? "";
        }
        finally
        {
            if (program >= 0) _ = Libc.close(program);
            _calls.Release();
        }
        return reason.Length == 0;
    }

    /// <summary>A file system served by one of our daemons: reading it would wait for that daemon.</summary>
    private bool IsServedByTmem(uint major, uint minor) =>
        major == 0 && (minor == _mount.Connection
            || MountTable.Read().Any(mount => mount.DeviceMinor == minor && mount.FileSystemType == FuseMount.FileSystemType));

    /// <inheritdoc/>
    public bool TryAdopt(out string reason)
    {
        reason = _keeper.TryAdopt() ?? "";
        return reason.Length == 0;
    }

    private void Retire()
    {
        // Everything that touches the store, except the session, ends before the successor gets its turn. The mount is served
        // meanwhile.
        _calls.Close("this worker gives way to another one");
        lock (_stopLock) _isOver = GivesWay = true;
        // Sends the replies under way, the upgrade's among them.
        _control?.Dispose();
        _mount.Quiesce();
    }

    /// <summary>
    /// Makes the control socket anew if it has lost its name: a daemon whose socket was removed can be managed again.
    /// </summary>
    /// <param name="signal">Which asked for it.</param>
    public void LookAfterSocket(string signal)
    {
        var path = _handover.SocketPath;
        lock (_stopLock)
        {
            try
            {
                if (_isOver) Log.Info($"{signal}: this worker ends or gives way to another one; nothing done");
                else if (ControlSocket.Renew(path, _handover.SocketFile, _handover.SocketGroup, IsServedByTmem) is { } made)
                {
                    _control!.ListenOn(made.Descriptor, () => _keeper.HandOn(made.Descriptor));
                    _handover.SocketFile = made.File;
                    _ = Libc.close(made.Descriptor);
                    Log.Info($"{signal}: control socket {path} was gone, and was made anew");
                }
                else Log.Info($"{signal}: control socket {path} is there; nothing to do");
            }
            catch (Exception e) when (e is ControlException or SocketException)
            {
                Log.Warning($"{signal}: {e.Message}");
            }
        }
    }
}
