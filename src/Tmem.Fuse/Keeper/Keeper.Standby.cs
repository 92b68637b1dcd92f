using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The stand-by: while one worker serves, the next has started its runtime and mapped the region, and waits for its turn. Half of
/// the stall after a death is then already over. It costs the machine an idle process: 3 MB, and 2 MB of page tables a GiB.
/// Without a stand-by (it died, or two workers died in quick succession) a worker is started when it is needed.
/// </summary>
internal sealed unsafe partial class Keeper<TSystem>
{
    private long _standbyAt;

    private ref Watched Standby => ref _family[StandbyPlace];

    /// <summary>A replaced worker none of whose threads runs any more; the kernel still tears down its memory.</summary>
    private ref Watched Ending => ref _family[EndingPlace];

    private bool WantsStandby => Worker.Serves && _phase == UpgradePhase.None && !Standby.Exists;

    private void KeepStandby()
    {
        if (!WantsStandby || _system.Now < _standbyAt) return;
        if (_system.TryStart(Role.Successor, Page.Current.Program, out Standby) != Errno.Ok) DelayStandby();
        Page.StandbyProcess = Standby.Process;
    }

    private void StandbyDied()
    {
        Page.StandbyProcess = 0;
        DelayStandby();
    }

    private void DelayStandby() => _standbyAt = _system.Now + LongestDelay;

    /// <summary>Makes the stand-by the worker. False if there is none.</summary>
    private bool TryPromoteStandby()
    {
        if (!Standby.Exists || _system.HasEnded(in Standby)) return false;
        Page.StandbyProcess = 0;
        LetTakeOver(ref Standby);
        return true;
    }

    /// <summary>
    /// Makes the stand-by the worker while the kernel still tears down the memory of the old one. Not where a death must be
    /// understood first: in an upgrade, when the mount is gone, while the end of another worker is waited for, or when an earlier
    /// one died of its own fault.
    /// </summary>
    private void TakeOverEarly()
    {
        // Reads its last message, if any.
        Attend(WorkerPlace);
        if (_phase != UpgradePhase.None || !Worker.Serves || Ending.Exists || Page.ConnectionOver != 0) return;
        if (_lives.AreShort) return;
        KeepUndecidedStop();
        Ending = Worker;
        Worker = default;
        _ = TryPromoteStandby();
    }

    /// <summary>Notes and logs how a replaced worker ended, once that is known.</summary>
    private void ReplacedWorkerEnded(in WorkerDeath death)
    {
        var line = CountDeath(in death);
        CountLife(in death);
        line.AppendLiteral("the one that stood by has taken over, restart ");
        line.AppendFormatted(Page.Restarts);
        _system.Log(LogLevel.Warning, line);
    }

    /// <summary>Makes it the worker. If it is not ready yet, raises its priority.</summary>
    private void LetTakeOver(ref Watched next)
    {
        Worker = next;
        next = default;
        Page.WorkerProcess = Worker.Process;
        Page.Beat = 0;
        _system.StepForward(in Worker);
        _system.Send(in Worker, LinkMessage.TakeOver);
    }

    /// <summary>Called before anything changes that it has already taken over: settings, descriptors.</summary>
    private void EndStandby()
    {
        if (!Standby.Exists) return;
        _system.Kill(in Standby, NativeProcess.SIGKILL);
        do _system.AwaitEnd(in Standby);
        while (!_system.TryReap(in Standby, out _));
        Standby = default;
        Page.StandbyProcess = 0;
    }
}
