using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// A worker ahead of time: while one serves, the next has started its runtime and mapped the region, and waits for the word. Half
/// of what clients would wait for after a death is then done. It costs the machine a process that does nothing: 3 MB, and 2 MB of
/// page tables a GiB. Without one (it died, or the worker died right after another) a worker is started when it is needed.
/// </summary>
internal sealed unsafe partial class Keeper<TSystem>
{
    private long _standbyAt;

    private ref Watched Standby => ref _family[StandbyPlace];

    /// <summary>
    /// A worker that has been replaced because none of its threads runs any more; the kernel still takes its memory apart.
    /// </summary>
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

    /// <summary>Makes the one that stands by the worker. False if there is none.</summary>
    private bool TryPromoteStandby()
    {
        if (!Standby.Exists || _system.HasEnded(in Standby)) return false;
        Page.StandbyProcess = 0;
        LetTakeOver(ref Standby);
        return true;
    }

    /// <summary>
    /// Makes the one that stands by the worker while the kernel still takes the memory of the one before apart. Not where a death
    /// has to be understood before anything is done about it: in an upgrade, when the mount is gone, while another one's end is
    /// waited for, or when one before died by its own fault.
    /// </summary>
    private void TakeOverEarly()
    {
        // The last that it may have said.
        Attend(WorkerPlace);
        if (_phase != UpgradePhase.None || !Worker.Serves || Ending.Exists || Page.ConnectionOver != 0) return;
        if (_lives.AreShort) return;
        KeepUndecidedStop();
        Ending = Worker;
        Worker = default;
        _ = TryPromoteStandby();
    }

    /// <summary>Notes and tells, when it can be known, how a worker ended that has been replaced.</summary>
    private void ReplacedWorkerEnded(in WorkerDeath death)
    {
        var line = CountDeath(in death);
        CountLife(in death);
        line.AppendLiteral("the one that stood by has taken over, restart ");
        line.AppendFormatted(Page.Restarts);
        _system.Log(LogLevel.Warning, line);
    }

    /// <summary>Makes it the worker. If it is not ready yet, it goes first from here on.</summary>
    private void LetTakeOver(ref Watched next)
    {
        Worker = next;
        next = default;
        Page.WorkerProcess = Worker.Process;
        _system.StepForward(in Worker);
        _system.Send(in Worker, LinkMessage.TakeOver);
    }

    /// <summary>Before anything changes that it has taken over already: settings, descriptors.</summary>
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
