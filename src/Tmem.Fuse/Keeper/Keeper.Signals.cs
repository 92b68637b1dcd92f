using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Signals to forward. The worker decides about a stop, and renews its socket; while none serves, or one retires, the signal
/// waits. A worker may die with a signal that it was sent and has not read.
/// </summary>
internal sealed unsafe partial class Keeper<TSystem>
{
    private const long HangUpPatience = 60_000;

    /// <summary>A stop that no worker is known to have decided on; 0 for none.</summary>
    private int _stop;

    /// <summary>How many stops had been decided when the worker was sent this one; -1 if it was not sent.</summary>
    private int _decidedBefore = -1;

    /// <summary>Until then the next worker gets SIGHUP: checking the socket once more does no harm.</summary>
    private long _hangUpUntil;

    private void TakeSignal(int signal)
    {
        var isStop = DaemonSignals.IsStop(signal);
        if (!isStop && signal != NativeProcess.SIGHUP)
        {
            _system.Log(LogLevel.Info, $"{DaemonSignals.Name(signal)} ({signal}): nothing to do; keeping on");
            return;
        }
        if (isStop) (_stop, _decidedBefore) = (signal, -1);
        if (!Worker.Serves || _phase == UpgradePhase.Retiring || _system.HasEnded(in Worker))
        {
            if (!isStop) _hangUpUntil = long.MaxValue;
        }
        else if (isStop) PassStopOn();
        else
        {
            _system.Kill(in Worker, signal);
            _hangUpUntil = _system.Now + HangUpPatience;
        }
    }

    /// <summary>Forwards the waiting signals to a worker that has just begun to serve.</summary>
    private void PassOnWhatWaited()
    {
        if (_stop != 0) PassStopOn();
        if (_system.Now < _hangUpUntil) _system.Kill(in Worker, NativeProcess.SIGHUP);
        _hangUpUntil = 0;
    }

    private void PassStopOn()
    {
        _decidedBefore = Volatile.Read(ref Page.StopsDecided);
        _system.Kill(in Worker, _stop);
    }

    /// <summary>The worker is gone: a signal that it has decided on is done, any other waits.</summary>
    private void KeepUndecidedStop()
    {
        if (_decidedBefore >= 0 && Volatile.Read(ref Page.StopsDecided) != _decidedBefore) _stop = 0;
        _decidedBefore = -1;
    }
}
