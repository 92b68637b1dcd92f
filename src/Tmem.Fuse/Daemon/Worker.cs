using System.Net.Sockets;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The life of a worker: take over what the keeper holds, attach to the region, serve, and end only when the mount is no longer
/// needed or another worker takes over. A refused stop (swap is on the mount, a file is open, the region's file cannot be
/// written) is logged and changes nothing; ask again later.
/// </summary>
internal sealed unsafe class Worker : IDaemon
{
    private const int SignalStackBytes = 256 << 10;

    /// <summary>How long an upgrade waits for management calls under way.</summary>
    private static readonly TimeSpan s_callPatience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_refreshInterval = TimeSpan.FromSeconds(1);

    private readonly Handover _handover;
    private readonly ServedMount _mount;
    private readonly KeeperPeer _keeper;
    private readonly Composition _composition;
    private readonly Lock _stopLock = new();
    private readonly ControlGate _calls = new();
    private ControlServer? _control;
    /// <summary>The mount is another worker's, or gone: this worker only has to end.</summary>
    private bool _isOver;
    /// <summary>The mount is another worker's, which decides about it.</summary>
    private bool _givesWay;

    private Worker(Handover handover, ServedMount mount, Link line, Composition composition)
    {
        _composition = composition;
        _handover = handover;
        _mount = mount;
        _keeper = new KeeperPeer(handover, line, Retire);
        Threads = handover.Page.Current.Threads;
        Codec = Composition.CodecOf(handover.Page.Current)?.Name();
        ref var settings = ref handover.Page.Current;
        Settings = new RunningSettings
        {
            Spin = settings.SpinMicroseconds,
            Log = (LogWish)settings.LogLevel,
            SyncInterval = settings.SyncSeconds,
            HugePages = settings.HugePages != 0,
        };
        RegionName = composition.RegionName;
    }

    /// <inheritdoc/>
    public string Version { get; } = typeof(Worker).Assembly.GetName().Version?.ToString(3) ?? "unknown";

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
                Restarts = page.Restarts,
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

    /// <summary>Runs until the mount is gone or a successor serves it.</summary>
    /// <param name="role">Worker, or successor to one that serves.</param>
    /// <param name="page">The descriptor of the handover page.</param>
    /// <param name="line">The link to the keeper.</param>
    /// <returns>The exit code: 0 after an orderly end, 1 if it could not start or the connection broke.</returns>
    public static int Run(Role role, int page, Link line)
    {
        try
        {
            var handover = Handover.Adopt(page);
            var settings = role == Role.Successor ? handover.Page.Proposed : handover.Page.Current;
            Log.Level = (LogLevel)settings.LogLevel;
            Launcher.Close(handover, line);
            Log.CountLost(handover.LogLost);
            Log.GoesToJournal = handover.Page.LogIsJournal != 0;
            ProcessRights.KeepMemoryToSelf();
            var signals = DaemonSignals.Open();
            ProcessPriority.NameProcess(role == Role.Successor ? "tmemd-next\0"u8 : "tmemd-worker\0"u8);
            var watch = role == Role.Successor ? DeathWatch.Begin(handover, line) : null;
            // All threads except the death watch, which looks into another process.
            ProcessRights.Lower();
            var memory = LockedMemory.Lock();
            using var prepared = role == Role.Successor ? Composition.Prepare(handover, settings, memory) : null;
            if (role == Role.Successor && !AwaitTurn(handover, line, prepared!)) return 1;
            watch?.End();
            // Earlier signals were meant for the worker that served then.
            if (role == Role.Successor) while (DaemonSignals.Read(signals) != 0) { }
            ProcessPriority.AllStepForward();
            ProcessPriority.NameProcess("tmemd-worker\0"u8);
            using var composition = Composition.Create(handover, memory, prepared);
            return Serve(handover, line, composition, signals);
        }
        catch (StartupException e)
        {
            Log.Error(e.Message);
            return 1;
        }
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
            if (_composition.MakeDurable() is var (why, bytes))
            {
                if (!discard) reason = why;
                lostBytes = bytes;
            }
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
    public void KeepCapacity(long bytes)
    {
        // A standby was started with what is proposed, and takes the capacity from there when its turn comes.
        _handover.Page.Current.CapacityBytes = _handover.Page.Proposed.CapacityBytes = bytes;
        Log.Info($"the store has a capacity of {ByteSize.Format(bytes)} from now on");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> HoldersOf(string pool)
    {
        using var rights = ProcessRights.Raise();
        return MountHolders.FindBelow(Path.Combine(MountPoint, pool), Connection);
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
        if (!_calls.TryHold(ControlMethod.Upgrade, why, s_callPatience, out var inTheWay))
        {
            reason = $"{inTheWay}; ask again when that is done";
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

    /// <summary>Called when all preparation beside a serving worker is done: waits until that worker has ended.</summary>
    private static bool AwaitTurn(Handover handover, Link line, RegionTakeover prepared)
    {
        // A thread whose priority is raised in its sleep still owes the time it has had: 200 ms passed before it ran.
        ProcessPriority.StepForward();
        line.Send(LinkMessage.Ready);
        while (true)
        {
            switch (line.Receive(s_refreshInterval, out var descriptor))
            {
                case LinkMessage.TakeOver: return true;
                case LinkMessage.Listener:
                    handover.TakeListener(descriptor);
                    break;
                // Without the keeper, nothing tells when the region is free.
                case LinkMessage.Closed: return false;
                case LinkMessage.None:
                    ProcessPriority.StepBack();
                    prepared.Refresh();
                    ProcessPriority.StepForward();
                    break;
            }
        }
    }

    private static int Serve(Handover handover, Link line, Composition composition, int signals)
    {
        ref var page = ref handover.Page;
        var settings = page.Current;
        var devices = Devices(ref page);
        var connection = new FuseConnection(FuseMount.Adopt(handover.MountPoint, page.Connection), devices[..settings.Threads]);
        var requests = new RequestBuffers(page.Buffers);
        var deferred = new DeferredReplies(requests.MapTable(), devices, composition.Handler,
            () => handover.Page.NotifyingThread = NativeProcess.ThreadNumber());
        if (page.ConnectionUsed != 0)
        {
            var takeover = new Takeover(requests, devices, composition.Handler, deferred, handover.Tmemctl,
                handover.WasFault);
            takeover.Run(page.BufferCount, Environment.ProcessId);
            page.Refused += takeover.Refused;
            if (AskForUnanswered(devices[0])) deferred.Forget();
        }
        else Takeover.Begin(requests, Environment.ProcessId);
        deferred.Start();
        page.ConnectionUsed = 1;
        page.BufferCount = Math.Max(page.BufferCount, settings.Threads);
        var session = new SessionOptions(TimeSpan.FromMicroseconds(settings.SpinMicroseconds), requests, deferred,
            composition.PrepareThread);
        DeathWatch.ShowLife(handover);
        page.ServingProcess = Environment.ProcessId;
        using var mount = ServedMount.Start(composition.Handler, connection, session);
        var worker = new Worker(handover, mount, line, composition);
        // Before an upgrade can be asked for: the keeper then knows that this worker serves.
        worker._keeper.Start();
        Heartbeat.Begin(handover, mount);
        using (worker._control = composition.StartControl(worker, handover, worker._calls))
        {
            new Thread(() => worker.HandleSignals(signals), SignalStackBytes) { IsBackground = true, Name = "signals" }.Start();
            Log.Info(
                $"serving {mount.MountPoint} (FUSE connection {mount.Connection}) with {Counted.Of(settings.Threads, "thread")} "
                + $"and a capacity of {ByteSize.Format(settings.CapacityBytes)}; control socket {handover.SocketPath}");
            GroupStatistics.KeepFresh();
            var end = mount.Ended.GetAwaiter().GetResult();
            if (end == SessionEnd.Quiesced)
            {
                // Unmapping a large store takes as long as attaching to it: the successor need not wait for that.
                if (composition.TryRest())
                {
                    line.Send(LinkMessage.Retired);
                    ProcessPriority.AllStepBack();
                }
                // Not the ordinary exit: writing the region's file takes time, and the successor waits for it.
                NativeProcess._exit(0);
            }
            page.ConnectionOver = 1;
            // A stop from here on has nothing left to do.
            lock (worker._stopLock) worker._isOver = true;
            return worker.Finish(end);
        }
    }

    /// <summary>
    /// The connection's descriptors as the keeper holds them. Those beyond the threads' have no requests of their own to read,
    /// but a request that an earlier thread read through one is answered through it.
    /// </summary>
    private static List<FuseDevice> Devices(ref HandoverPage page)
    {
        var devices = new List<FuseDevice>();
        for (var i = 0; i < page.DeviceCount; i++) devices.Add(FuseDevice.Adopt(page.Devices[i]));
        return devices;
    }

    /// <summary>
    /// Has the kernel resend what is not answered; false before Linux 6.9, where waiting requests are answered from the table.
    /// </summary>
    private static bool AskForUnanswered(FuseDevice device)
    {
        var error = device.ResendUnanswered();
        if (error is not (Errno.Ok or Errno.EINVAL or Errno.ENODEV or Errno.ECONNABORTED or Errno.ENOTCONN))
            Log.Error($"{FuseDevice.Path} refused to send again what the last worker had read: {Libc.Describe(error)}.");
        return error == Errno.Ok;
    }

    private void Retire()
    {
        // Everything that touches the store, except the session, ends before the successor gets its turn. The mount is served
        // meanwhile.
        _calls.Close("this worker gives way to another one");
        lock (_stopLock) _isOver = _givesWay = true;
        // Sends the replies under way, the upgrade's among them.
        _control?.Dispose();
        _mount.Quiesce();
    }

    /// <summary>Handles signals, one after another, until the process ends.</summary>
    private void HandleSignals(int descriptor)
    {
        while (true)
        {
            var poll = new PollDescriptor { Descriptor = descriptor, Events = Libc.POLLIN };
            _ = Libc.poll(&poll, 1, -1);
            while (DaemonSignals.Read(descriptor) is not 0 and var signal)
            {
                var name = $"{DaemonSignals.Name(signal)} ({signal})";
                if (signal == NativeProcess.SIGHUP)
                {
                    LookAfterSocket(name);
                    Log.Info($"{name}: settings are not read by a signal; '{_handover.Tmemctl.Line("reload")}' applies them");
                }
                else if (!DaemonSignals.IsStop(signal)) Log.Info($"{name}: nothing to do; serving on");
                else DecideStop(name);
            }
        }
    }

    private void DecideStop(string signal)
    {
        var stops = TryStop(discard: false, () => true, out var reason, out _);
        if (stops && _givesWay)
        {
            Log.Info($"{signal}: this worker gives way to another one, which decides");
            return;
        }
        Interlocked.Increment(ref _handover.Page.StopsDecided);
        if (stops) Log.Info($"{signal}: stopping");
        else
        {
            var (what, remedy) = StopRemedy.Of(reason, _handover.Tmemctl);
            Log.Warning($"{signal}: {what}; serving on: {remedy}");
        }
    }

    /// <summary>
    /// Makes the control socket anew if it has lost its name: a daemon whose socket was removed can be managed again.
    /// </summary>
    private void LookAfterSocket(string signal)
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

    private int Finish(SessionEnd end)
    {
        // The keeper removes it too, if it lives, which is not known here. A socket of another daemon stays.
        ControlSocket.Remove(_handover.SocketPath, _handover.SocketFile);
        if (end == SessionEnd.Unmounted)
        {
            Log.Info($"{MountPoint} is unmounted; ending");
            return 0;
        }
        Errno error;
        using (ProcessRights.Raise()) error = _mount.RemoveStaleMount();
        var rest = error == Errno.Ok ? "It is unmounted."
            : $"It cannot be unmounted ({Libc.Describe(error)}): run: {_handover.Tmemctl.Line("recover --mount", MountPoint)}";
        Log.Error(end == SessionEnd.Aborted
            ? $"the connection of {MountPoint} was aborted through /sys/fs/fuse/connections/{_mount.Connection}. {rest}"
            : $"serving {MountPoint} failed. {rest}");
        return 1;
    }
}
