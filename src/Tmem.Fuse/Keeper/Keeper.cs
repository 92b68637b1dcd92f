using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Holds what must outlive a worker (every descriptor of the connection, the region, the listening socket) and starts another
/// worker when one dies. One thread in one poll(2); no I/O on the mount, no state but the handover page; nothing managed is
/// allocated from <see cref="Run"/> on, because what the machine swapped out comes back only when there is a worker again.
/// </summary>
internal sealed unsafe partial class Keeper
{
    private const long LongestDelay = WorkerLives.LongestDelay;
    private const int LongestWait = 60_000;
    private const long HangUpPatience = 60_000;

    private readonly Handover _handover;
    private readonly Launcher _launcher;
    private readonly WorkerLives _lives;
    private int _refused;
    private readonly string _mountPoint;
    private readonly string _recover;
    private readonly string _upgrade;
    private readonly int _signalDescriptor;
    private Watched _worker;
    /// <summary>Workers that have left the region to their successors, and still end.</summary>
    private readonly Watched[] _retired = new Watched[4];
    /// <summary>
    /// A worker that has been replaced because none of its threads runs any more; the kernel still takes its memory apart.
    /// </summary>
    private Watched _ending;
    private bool _everServed;
    private long _startAt;
    private int _pendingSignal;
    /// <summary>Until when the next worker gets SIGHUP: one that dies may have been sent it and not have read it.</summary>
    private long _hangUpUntil;
    private int? _exit;

    /// <summary>A keeper of what the page names.</summary>
    /// <param name="handover">The shared page.</param>
    /// <param name="advice">What may be the matter when workers die again and again.</param>
    /// <exception cref="StartupException">The system has no descriptor or memory to give.</exception>
    public Keeper(Handover handover, MemoryAdvice advice)
    {
        _handover = handover;
        _lives = new WorkerLives(advice);
        _refused = handover.Page.Refused;
        _launcher = new Launcher(handover);
        _mountPoint = handover.MountPoint;
        _recover = handover.Tmemctl.Line("recover");
        _upgrade = handover.Tmemctl.Line("upgrade --binary FILE");
        _signalDescriptor = DaemonSignals.Open();
        HoldProgram();
        handover.Page.KeeperProcess = Environment.ProcessId;
    }

    private ref HandoverPage Page => ref _handover.Page;

    /// <summary>Watches the worker that lives already.</summary>
    public void Adopt(Link line)
    {
        if (Watched.Watch(Page.WorkerProcess, line, out _worker) != Errno.Ok)
        {
            KeeperLog.Warning($"worker {Page.WorkerProcess} died before its new keeper watched it; starting another");
            line.Close();
            Page.Restarts++;
            return;
        }
        _worker.Serves = true;
        // 0: not known, or from a program that did not note it.
        _worker.ServesSince = Page.ServesSince != 0 ? Page.ServesSince : Environment.TickCount64;
        _everServed = true;
        _worker.Line.Send(LinkMessage.Watching);
        KeeperLog.Info($"keeping {_mountPoint}, served by worker {_worker.Process}");
    }

    /// <summary>Keeps until the mount is gone, or the first worker could not begin.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        Rehearse();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        while (_exit is null)
        {
            var now = Environment.TickCount64;
            if (!_worker.Exists && !_successor.Exists && now >= _startAt && !TryPromoteStandby()) StartWorker();
            Wait(now);
            HandleSignals();
            if (_successor.Exists) HandleSuccessor();
            if (_worker.Exists) HandleWorker();
            ForgetRetired();
            HandleEnding();
            CheckUpgrade();
            KeepStandby(now);
            Page.KeeperAllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
        }
        AwaitFamily();
        return _exit.Value;
    }

    /// <summary>
    /// Goes last: what the others have open, the lock on the region's file first of all, is free when this process has ended.
    /// </summary>
    private void AwaitFamily()
    {
        EndStandby();
        if (_successor.Exists) _ = NativeProcess.kill(_successor.Process, NativeProcess.SIGKILL);
        AwaitEnd(in _successor);
        AwaitEnd(in _ending);
        foreach (ref readonly var retired in _retired.AsSpan()) AwaitEnd(in retired);
    }

    private static void AwaitEnd(in Watched process)
    {
        var poll = Readable(process.Pid);
        while (process is { Exists: true, HasEnded: false }) _ = Libc.poll(&poll, 1, LongestWait);
    }

    /// <summary>
    /// What allocates the first time it is used (cultures, formats) is used before it counts: putting a line together.
    /// </summary>
    private void Rehearse()
    {
        var death = new WorkerDeath { Process = 1, Number = 9, BySignal = 1, HadServed = 1, ServedMilliseconds = 1 };
        KeeperLine line = $"rehearsal {death.Process} {"of"u8} ";
        DeathWords.AppendTo(ref line, in death);
        line.AppendLiteral(DaemonSignals.Name(NativeProcess.SIGHUP));
        _lives.AppendCause(ref line, _upgrade);
        _lives.CountDeath(in death, hadBegun: true);
        KeeperLog.Rehearse(line);
    }

    private void Wait(long now)
    {
        var polls = stackalloc PollDescriptor[8 + _retired.Length];
        var count = 0;
        polls[count++] = Readable(_signalDescriptor);
        Add(in _worker, polls, ref count);
        Add(in _successor, polls, ref count);
        Add(in _standby, polls, ref count);
        if (_ending.Exists) polls[count++] = Readable(_ending.Pid);
        foreach (ref readonly var retired in _retired.AsSpan())
            if (retired.Exists) polls[count++] = Readable(retired.Pid);
        var timeout = LongestWait;
        if (!_worker.Exists && !_successor.Exists) timeout = (int)Math.Clamp(_startAt - now, 0, LongestDelay);
        if (WantsStandby) timeout = (int)Math.Clamp(_standbyAt - now, 0, timeout);
        if (_phase != UpgradePhase.None) timeout = (int)Math.Clamp(_deadline - now, 0, timeout);
        _ = Libc.poll(polls, (nuint)count, timeout);
    }

    private static void Add(in Watched process, PollDescriptor* polls, ref int count)
    {
        if (!process.Exists) return;
        polls[count++] = Readable(process.Pid);
        // A worker closes its end by dying alone: from then on, its death is what is waited for.
        if (!process.LineClosed) polls[count++] = Readable(process.Line.Descriptor);
    }

    private static PollDescriptor Readable(int descriptor) => new() { Descriptor = descriptor, Events = Libc.POLLIN };

    private void StartWorker()
    {
        // A worker that died while it made the store has left nothing to keep, and nothing to build on.
        if (Page.RegionReady == 0) _ = NativeProcess.ftruncate(Page.Region, 0);
        if (!TryStart(Role.Worker, Page.Current.Program, out _worker, out var error))
        {
            _lives.CountFailure();
            _startAt = Environment.TickCount64 + _lives.Delay;
            KeeperLog.Error($"a worker cannot be started: error {(int)error}; trying again");
            SayLastWord();
            return;
        }
        Page.WorkerProcess = _worker.Process;
    }

    private bool TryStart(Role role, int program, out Watched started, out Errno error)
    {
        started = default;
        error = Link.TryCreate(out var mine, out var theirs);
        if (error != Errno.Ok) return false;
        // Getting ready is in nobody's way, the start of the runtime included.
        if (role == Role.Successor) ProcessPriority.StepBack();
        error = _launcher.Start(role, program, theirs, out var process);
        ProcessPriority.StepForward();
        theirs.Close();
        if (error == Errno.Ok) error = Watched.Watch(process, mine, out started);
        if (error == Errno.Ok) return true;
        mine.Close();
        return false;
    }

    private void HandleWorker()
    {
        while (_worker.Receive(ref _wish) is not (LinkMessage.None or LinkMessage.Closed) and var message)
        {
            if (message == LinkMessage.Serving) WorkerServes();
            else if (message == LinkMessage.Upgrade) BeginUpgrade();
            else if (message == LinkMessage.Listener) TakeListener();
            else if (message == LinkMessage.Retired && _phase == UpgradePhase.Retiring && _successor.Exists && TryRetireWorker())
            {
                HandOver();
                return;
            }
        }
        if (!_worker.HasEnded || !_worker.TryReap(out var death)) return;
        _worker.Forget();
        WorkerEnded(in death);
    }

    /// <summary>Whoever serves next accepts from the socket that the worker has made anew.</summary>
    private void TakeListener()
    {
        _handover.TakeListener(_wish.Program);
        if (_standby.Exists) _standby.Line.Send(LinkMessage.Listener, Page.Listener);
        if (_successor.Exists) _successor.Line.Send(LinkMessage.Listener, Page.Listener);
    }

    /// <summary>
    /// Watches its end apart. False if several still end, which takes longer than an upgrade on a busy machine; then this one's
    /// is waited for.
    /// </summary>
    private bool TryRetireWorker()
    {
        foreach (ref var place in _retired.AsSpan())
        {
            if (place.Exists) continue;
            place = _worker;
            return true;
        }
        return false;
    }

    private void ForgetRetired()
    {
        foreach (ref var retired in _retired.AsSpan())
            if (retired.Exists && retired.HasEnded && retired.TryReap(out _)) retired.Forget();
    }

    private void WorkerServes()
    {
        _worker.Serves = true;
        _worker.ServesSince = Page.ServesSince = Environment.TickCount64;
        _everServed = true;
        _lives.CountServing(causeIsGone: Page.Refused != _refused);
        _refused = Page.Refused;
        if (_phase == UpgradePhase.TakingOver) UpgradeDone();
        if (_pendingSignal != 0) _ = NativeProcess.kill(_worker.Process, _pendingSignal);
        if (Environment.TickCount64 < _hangUpUntil) _ = NativeProcess.kill(_worker.Process, NativeProcess.SIGHUP);
        (_pendingSignal, _hangUpUntil) = (0, 0);
    }

    private void WorkerEnded(in WorkerDeath death)
    {
        if (Page.ConnectionOver != 0 || (!_everServed && death is { BySignal: 0, Number: > 0 }))
        {
            // The mount is gone, or it could never be served and the worker has said why. What was killed on its last way has
            // not ended in order.
            _exit = death.BySignal != 0 ? 1 : Math.Max(death.Number, 0);
            return;
        }
        if (_phase == UpgradePhase.Retiring && death is { BySignal: 0, Number: 0 })
        {
            HandOver();
            return;
        }
        var line = CountDeath(in death);
        if (_phase == UpgradePhase.Preparing)
        {
            line.AppendLiteral("the new worker takes over as soon as it is ready");
            KeeperLog.Warning(line);
            return;
        }
        if (_phase == UpgradePhase.Retiring)
        {
            line.AppendLiteral("the new worker takes over");
            KeeperLog.Warning(line);
            HandOver();
            return;
        }
        if (_phase == UpgradePhase.TakingOver) UpgradeFailedLate(in death);
        CountLife(in death);
        _startAt = Environment.TickCount64 + _lives.Delay;
        if (_lives.Delay > 0)
        {
            line.AppendLiteral("the next one in ");
            line.AppendFormatted(_lives.Delay);
            line.AppendLiteral(" ms, restart ");
        }
        else if (TryPromoteStandby()) line.AppendLiteral("the one that stands by takes over, restart ");
        else line.AppendLiteral("starting another, restart ");
        line.AppendFormatted(Page.Restarts);
        KeeperLog.Warning(line);
        SayLastWord();
    }

    private void CountLife(in WorkerDeath death)
    {
        _lives.CountDeath(in death, hadBegun: death.HadServed != 0 || Page.ServingProcess == death.Process);
        // One that stands by gets in the way of what is short, memory or processor.
        if (_lives.AreShort) _standbyAt = Environment.TickCount64 + LongestDelay;
    }

    /// <summary>Notes a death, and begins the line that tells it.</summary>
    private KeeperLine CountDeath(in WorkerDeath death)
    {
        _handover.NoteDeath(in death);
        Page.ServesSince = 0;
        Page.Restarts++;
        KeeperLine line = $"worker {death.Process} ";
        DeathWords.AppendTo(ref line, in death);
        line.AppendLiteral("; ");
        return line;
    }

    private void SayLastWord()
    {
        if (!_lives.IsTimeForLastWord) return;
        KeeperLine line = $"{_lives.InARow} workers in a row died before they served, or soon after. {_mountPoint}, its pages ";
        line.AppendLiteral("and everybody who waits for it are held, and a worker is tried at most every ");
        line.AppendFormatted(WorkerLives.LongestDelay / 1000);
        line.AppendLiteral(" s. ");
        _lives.AppendCause(ref line, _upgrade);
        line.AppendLiteral("Or give the mount up: kill -9 ");
        line.AppendFormatted(Environment.ProcessId);
        line.AppendLiteral(", then ");
        line.AppendLiteral(_recover);
        KeeperLog.Error(line);
    }

    /// <summary>
    /// The worker decides about a stop, and sees to its socket; while none serves, or one gives way, the signal waits.
    /// </summary>
    private void HandleSignals()
    {
        while (DaemonSignals.Read(_signalDescriptor) is not 0 and var signal)
        {
            if (!DaemonSignals.IsStop(signal) && signal != NativeProcess.SIGHUP)
                KeeperLog.Info($"{DaemonSignals.Name(signal)} ({signal}): nothing to do; keeping on");
            else if (_worker is { Exists: true, Serves: true, HasEnded: false } && _phase != UpgradePhase.Retiring)
            {
                _ = NativeProcess.kill(_worker.Process, signal);
                if (signal == NativeProcess.SIGHUP) _hangUpUntil = Environment.TickCount64 + HangUpPatience;
            }
            else if (signal == NativeProcess.SIGHUP) _hangUpUntil = long.MaxValue;
            else _pendingSignal = signal;
        }
    }
}
