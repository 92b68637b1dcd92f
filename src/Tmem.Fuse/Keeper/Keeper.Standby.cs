using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// A worker ahead of time: while one serves, the next has started its runtime and mapped the region, and waits for the word. Half
/// of what clients would wait for after a death is then done. It costs the machine a process that does nothing: 3 MB, and 2 MB of
/// page tables a GiB. Without one (it died, or the worker died right after another) a worker is started when it is needed.
/// </summary>
internal sealed unsafe partial class Keeper
{
    private Watched _standby;
    private long _standbyAt;

    private bool WantsStandby => _worker is { Exists: true, Serves: true } && _phase == UpgradePhase.None && !_standby.Exists;

    private void KeepStandby(long now)
    {
        if (WantsStandby && now >= _standbyAt)
        {
            if (!TryStart(Role.Successor, Page.Current.Program, out _standby, out _)) _standbyAt = now + LongestDelay;
            Page.StandbyProcess = _standby.Process;
        }
        if (!_standby.Exists) return;
        // "Ready" changes nothing: one that is not ready yet is still ahead of one that is not started.
        for (var message = _standby.Receive(); message
            is not (LinkMessage.None or LinkMessage.Closed); message = _standby.Receive())
        {
            if (message == LinkMessage.WorkerEnds && TryTakeOverEarly()) return;
        }
        if (!_standby.HasEnded || !_standby.TryReap(out _)) return;
        ForgetStandby();
        _standbyAt = now + LongestDelay;
    }

    /// <summary>Makes the one that stands by the worker. False if there is none.</summary>
    private bool TryPromoteStandby()
    {
        if (!_standby.Exists || _standby.HasEnded) return false;
        Page.StandbyProcess = 0;
        LetTakeOver(ref _standby);
        return true;
    }

    /// <summary>
    /// Makes the one that stands by the worker while the kernel still takes the memory of the one before apart. False where a
    /// death has to be understood before anything is done about it: in an upgrade, when the mount is gone, while another one's
    /// end is waited for, or when one before died by its own fault.
    /// </summary>
    private bool TryTakeOverEarly()
    {
        if (_phase != UpgradePhase.None || !_worker.Serves || _ending.Exists || Page.ConnectionOver != 0) return false;
        if (_lives.AreShort) return false;
        // The last that it may have said.
        while (_worker.Receive(ref _wish) == LinkMessage.Listener) TakeListener();
        _ending = _worker;
        _worker = default;
        return TryPromoteStandby();
    }

    /// <summary>Notes and tells, when it can be known, how a worker ended that has been replaced.</summary>
    private void HandleEnding()
    {
        if (!_ending.Exists || !_ending.HasEnded || !_ending.TryReap(out var death)) return;
        _ending.Forget();
        var line = CountDeath(in death);
        CountLife(in death);
        line.AppendLiteral("the one that stood by has taken over, restart ");
        line.AppendFormatted(Page.Restarts);
        KeeperLog.Warning(line);
    }

    /// <summary>Makes it the worker. If it is not ready yet, it goes first from here on.</summary>
    private void LetTakeOver(ref Watched next)
    {
        _worker = next;
        next = default;
        Page.WorkerProcess = _worker.Process;
        ProcessPriority.StepForward(_worker.Process);
        _worker.Line.Send(LinkMessage.TakeOver);
    }

    /// <summary>Before anything changes that it has taken over already: settings, descriptors.</summary>
    private void EndStandby()
    {
        if (!_standby.Exists) return;
        _ = NativeProcess.kill(_standby.Process, NativeProcess.SIGKILL);
        while (!_standby.TryReap(out _))
        {
            var poll = Readable(_standby.Pid);
            _ = Libc.poll(&poll, 1, LongestWait);
        }
        ForgetStandby();
    }

    private void ForgetStandby()
    {
        _standby.Forget();
        Page.StandbyProcess = 0;
    }
}
