using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Holds what must outlive a worker (every descriptor of the connection, the region, the listening socket) and starts another
/// worker when one dies. It decides what follows from each event: a message of a process, its end, a signal, a timeout. <see
/// cref="IKeeperSystem"/> carries it out. One thread; no I/O on the mount, no state but this and the handover page; no managed
/// memory is allocated from <see cref="Run"/> on, because swapped pages return only when there is a worker again.
/// </summary>
/// <typeparam name="TSystem">The kernel.</typeparam>
internal sealed unsafe partial class Keeper<TSystem> where TSystem : struct, IKeeperSystem
{
    private const long LongestDelay = WorkerLives.LongestDelay;
    private const int LongestWait = 60_000;

    // Places in the family, in the order in which they are attended to.
    private const int SuccessorPlace = 0;
    private const int WorkerPlace = 1;
    private const int RetiredPlace = 2;
    private const int RetiredPlaces = 4;
    private const int EndingPlace = RetiredPlace + RetiredPlaces;
    private const int StandbyPlace = EndingPlace + 1;

    private readonly Handover _handover;
    private readonly TSystem _system;
    private readonly WorkerLives _lives;
    private readonly string _mountPoint;
    private readonly string _recover;
    private readonly string _upgrade;
    private readonly Watched[] _family = new Watched[StandbyPlace + 1];
    private int _refused;
    private bool _everServed;
    private long _startAt;
    private string[] _warnings;

    /// <summary>A keeper of what the page lists.</summary>
    /// <param name="handover">The shared page.</param>
    /// <param name="advice">Likely causes when workers die again and again.</param>
    /// <param name="system">The kernel.</param>
    /// <param name="warnings">
    /// Told once a worker serves: a start that fails says why, and nothing of what might have been.
    /// </param>
    public Keeper(Handover handover, MemoryAdvice advice, TSystem system, string[] warnings)
    {
        _warnings = warnings;
        _handover = handover;
        _system = system;
        _lives = new WorkerLives(advice, system.OutOfMemoryKills());
        _refused = handover.Page.Refused;
        _mountPoint = handover.MountPoint;
        _recover = handover.Tmemctl.Line("recover --mount", _mountPoint);
        _upgrade = handover.Tmemctl.Line("upgrade --binary FILE");
        _system.HoldProgram(Page.Current.Program);
        Page.KeeperProcess = Environment.ProcessId;
        handover.KeeperVersion = ProgramVersion.Whole;
        _everServed = Page.ConnectionUsed != 0;
        _stored.AsSpan().Fill(-1);
    }

    /// <summary>The exit code, once there is nothing left to keep: the mount is gone, or the first worker failed to
    /// begin.</summary>
    public int? Exit { get; private set; }

    private ref HandoverPage Page => ref _handover.Page;

    /// <summary>The process that has the region: it serves, or is about to.</summary>
    private ref Watched Worker => ref _family[WorkerPlace];

    /// <summary>Watches a worker that already runs.</summary>
    public void Adopt(Link line)
    {
        if (_system.TryWatch(Page.WorkerProcess, line, out Worker) != Errno.Ok)
        {
            _system.Log(LogLevel.Warning,
                $"worker {Page.WorkerProcess} died before its new keeper watched it; starting another");
            _system.Close(line.Descriptor);
            Page.Restarts++;
            return;
        }
        Worker.Serves = true;
        // 0: unknown, or from a program that did not note it.
        Worker.ServesSince = Page.ServesSince != 0 ? Page.ServesSince : _system.Now;
        _everServed = _isAdopter = true;
        _system.Send(in Worker, LinkMessage.Watching);
        _system.Log(LogLevel.Info, $"keeping {_mountPoint}, served by worker {Worker.Process}");
        TellWarnings();
    }

    /// <summary>Runs until there is nothing left to keep.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        Rehearse();
        // Before the first worker is started: what it serves must already be able to outlive it.
        Supervise();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        while (Exit is null)
        {
            Turn();
            Page.KeeperAllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
        }
        AwaitFamily();
        TakeLeave();
        return Exit.Value;
    }

    /// <summary>Waits for an event and handles it.</summary>
    public void Turn()
    {
        var now = _system.Now;
        if (!Worker.Exists && !Successor.Exists && now >= _startAt && !TryPromoteStandby()) StartWorker();
        _system.Wait(_family, Patience(now));
        while (_system.ReadSignal() is not 0 and var signal) TakeSignal(signal);
        for (var place = SuccessorPlace; place < StandbyPlace; place++) Attend(place);
        CheckUpgrade();
        KeepStandby();
        Attend(StandbyPlace);
        Supervise();
    }

    /// <summary>
    /// Waits for the other processes, so that the keeper ends last: what they have open, the lock on the region's file above all,
    /// is free when this process has ended.
    /// </summary>
    public void AwaitFamily()
    {
        EndStandby();
        if (Successor.Exists) _system.Kill(in Successor, NativeProcess.SIGKILL);
        foreach (ref readonly var process in _family.AsSpan())
            if (process.Exists) _system.AwaitEnd(in process);
    }

    /// <summary>Uses everything that allocates on first use (cultures, formats) ahead of time: composes a line.</summary>
    private void Rehearse()
    {
        var death = new WorkerDeath { Process = 1, Number = 9, BySignal = 1, HadServed = 1, ServedMilliseconds = 1 };
        KeeperLine line = $"rehearsal {death.Process} {"of"u8} ";
        DeathWords.AppendTo(ref line, in death);
        line.AppendLiteral(DaemonSignals.Name(NativeProcess.SIGHUP));
        _lives.AppendCause(ref line, _upgrade);
        _lives.CountDeath(in death, hadBegun: true, _system.OutOfMemoryKills());
        KeeperLog.Rehearse(line);
    }

    /// <summary>Milliseconds until the next timed action.</summary>
    private int Patience(long now)
    {
        var patience = LongestWait;
        if (!Worker.Exists && !Successor.Exists) patience = (int)Math.Clamp(_startAt - now, 0, LongestDelay);
        if (WantsStandby) patience = (int)Math.Clamp(_standbyAt - now, 0, patience);
        if (_phase != UpgradePhase.None) patience = (int)Math.Clamp(_deadline - now, 0, patience);
        return SupervisionPatience(now, patience);
    }

    /// <summary>Reads the messages of the process at a place, and notices its end.</summary>
    private void Attend(int place)
    {
        ref var process = ref _family[place];
        if (!process.Exists) return;
        var attended = process.Process;
        while (!process.LineClosed)
        {
            var message = _system.Receive(in process, ref _wish);
            process.LineClosed = message == LinkMessage.Closed;
            if (message is LinkMessage.None or LinkMessage.Closed) break;
            Heard(place, message);
            // The process has moved to another place, and its successor to this one.
            if (process.Process != attended) return;
        }
        if (!_system.TryReap(in process, out var death)) return;
        death.HadServed = process.Serves ? 1 : 0;
        death.ServedMilliseconds = process.Serves ? _system.Now - process.ServesSince : 0;
        process = default;
        Ended(place, in death);
    }

    private void Heard(int place, LinkMessage message)
    {
        switch (place, message)
        {
            case (WorkerPlace, LinkMessage.Serving): WorkerServes(); break;
            case (WorkerPlace, LinkMessage.Upgrade): BeginUpgrade(); break;
            case (WorkerPlace, LinkMessage.Listener): TakeListener(); break;
            case (WorkerPlace, LinkMessage.Retired): WorkerRetired(); break;
            case (SuccessorPlace, LinkMessage.Ready): SuccessorIsReady(); break;
            case (StandbyPlace, LinkMessage.WorkerEnds): TakeOverEarly(); break;
            // "Ready" of the stand-by changes nothing: even before, it is ahead of a worker that is not started.
            default: _system.Close(_wish.Program); break;
        }
    }

    private void Ended(int place, in WorkerDeath death)
    {
        switch (place)
        {
            case WorkerPlace: WorkerEnded(in death); break;
            case SuccessorPlace: SuccessorDied(in death); break;
            case EndingPlace: ReplacedWorkerEnded(in death); break;
            case StandbyPlace: StandbyDied(); break;
        }
    }

    private void StartWorker()
    {
        // A worker that died while it made the store has left nothing valid.
        if (Page.RegionReady == 0) _system.EmptyRegion();
        if (_system.TryStart(Role.Worker, Page.Current.Program, out Worker) is not Errno.Ok and var error)
        {
            _lives.CountFailure();
            _startAt = _system.Now + _lives.Delay;
            _system.Log(LogLevel.Error, $"a worker cannot be started: error {(int)error}; trying again");
            SayLastWord();
            return;
        }
        Page.WorkerProcess = Worker.Process;
        Page.Beat = 0;
    }

    private void WorkerServes()
    {
        Worker.Serves = true;
        Worker.ServesSince = Page.ServesSince = _system.Now;
        _everServed = true;
        _lives.CountServing(causeIsGone: Page.Refused != _refused);
        _refused = Page.Refused;
        if (_phase == UpgradePhase.TakingOver) UpgradeDone();
        TellWarnings();
        PassOnWhatWaited();
    }

    private void TellWarnings()
    {
        foreach (var warning in _warnings) _system.Log(LogLevel.Warning, $"{warning}");
        _warnings = [];
    }

    /// <summary>Later workers accept from the socket that this worker has made.</summary>
    private void TakeListener()
    {
        _system.TakeListener(_wish.Program);
        // The same number, another socket.
        _stored[Stored.Listener] = -1;
        if (Standby.Exists) _system.Send(in Standby, LinkMessage.Listener, Page.Listener);
        if (Successor.Exists) _system.Send(in Successor, LinkMessage.Listener, Page.Listener);
    }

    private void WorkerEnded(in WorkerDeath death)
    {
        KeepUndecidedStop();
        if (Page.ConnectionOver != 0 || (!_everServed && death is { BySignal: 0, Number: > 0 }))
        {
            // The mount is gone, or it could never be served and the worker has logged why. A worker killed on its way out has
            // not ended in order.
            Exit = death.BySignal != 0 ? 1 : Math.Max(death.Number, 0);
            return;
        }
        // The start has not failed, and they may tell why no worker lives.
        TellWarnings();
        if (_phase == UpgradePhase.Retiring && death is { BySignal: 0, Number: 0 })
        {
            HandOver();
            return;
        }
        var line = CountDeath(in death);
        if (_phase == UpgradePhase.Preparing)
        {
            line.AppendLiteral("the new worker takes over as soon as it is ready");
            _system.Log(LogLevel.Warning, line);
            return;
        }
        if (_phase == UpgradePhase.Retiring)
        {
            line.AppendLiteral("the new worker takes over");
            _system.Log(LogLevel.Warning, line);
            HandOver();
            return;
        }
        if (_phase == UpgradePhase.TakingOver) UpgradeFailedLate(in death);
        CountLife(in death);
        _startAt = _system.Now + _lives.Delay;
        if (_lives.Delay > 0)
        {
            line.AppendLiteral("the next one in ");
            line.AppendFormatted(_lives.Delay);
            line.AppendLiteral(" ms, restart ");
        }
        else if (TryPromoteStandby()) line.AppendLiteral("the one that stands by takes over, restart ");
        else line.AppendLiteral("starting another, restart ");
        line.AppendFormatted(Page.Restarts);
        _system.Log(LogLevel.Warning, line);
        SayLastWord();
    }

    private void CountLife(in WorkerDeath death)
    {
        _lives.CountDeath(in death, hadBegun: death.HadServed != 0 || Page.ServingProcess == death.Process,
            _system.OutOfMemoryKills());
        // A stand-by would compete for what is short, memory or processor.
        if (_lives.AreShort) _standbyAt = _system.Now + LongestDelay;
    }

    /// <summary>Counts a death, and begins its line of the log.</summary>
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
        _system.Log(LogLevel.Error, line);
    }
}
