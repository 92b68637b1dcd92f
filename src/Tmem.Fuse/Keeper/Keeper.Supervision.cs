using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// What a supervisor is told, if there is one: the descriptors to hold (<see cref="Stored"/>), that the mount is served and by
/// whom, and, if it waits for one, a sign of life. What cannot be sent now is sent a moment later.
/// <para>The supervisor's watchdog is about the keeper. A worker that takes no requests for as long is the keeper's to replace.
/// </para>
/// </summary>
internal sealed unsafe partial class Keeper<TSystem>
{
    private const long TellDelay = 100;
    private const int FarewellTries = 50;

    /// <summary>The descriptor last stored at each place; -1 for none.</summary>
    private readonly int[] _stored = new int[Stored.Places];

    private bool _isBehind;
    private (int Worker, bool Serves, int Restarts, int Upgrades) _told;
    private bool _isAnnounced;
    private bool _isAdopter;
    private long _pingAt;
    private int _silent;

    private void Supervise()
    {
        if (!_system.IsSupervised) return;
        _isBehind = false;
        for (var place = 0; place < Stored.Places && !_isBehind; place++) KeepStored(place);
        TellState();
        Ping();
        ReplaceSilentWorker();
    }

    /// <summary>How long until the supervisor is to hear something.</summary>
    private int SupervisionPatience(long now, int patience)
    {
        if (!_system.IsSupervised) return patience;
        if (_isBehind) patience = (int)Math.Min(patience, TellDelay);
        if (_system.Watchdog > 0) patience = (int)Math.Clamp(_pingAt - now, 0, patience);
        return patience;
    }

    private void KeepStored(int place)
    {
        var wanted = Stored.DescriptorOf(_handover, place);
        if (_stored[place] == wanted) return;
        // In this order: a name that has two descriptors would not tell which one is meant. What is ever replaced can be made
        // anew, should everything end just in between.
        if (_stored[place] >= 0 || Stored.CanBeMade(place))
        {
            if (!TryForget(place)) return;
            _stored[place] = -1;
        }
        if (wanted < 0) return;
        KeeperLine line = $"FDSTORE=1\nFDPOLL=0\nFDNAME={Stored.NameOf(place)}";
        if (TryTell(line, wanted)) _stored[place] = wanted;
    }

    private bool TryForget(int place)
    {
        KeeperLine line = $"FDSTOREREMOVE=1\nFDNAME={Stored.NameOf(place)}";
        return TryTell(line, -1);
    }

    private void TellState()
    {
        var state = (Worker.Process, Worker.Serves, Page.Restarts, Page.Upgrades);
        if (state == _told && _isAnnounced) return;
        KeeperLine line = $"";
        if (Worker.Serves) line.AppendLiteral("READY=1\n");
        if (_isAdopter)
        {
            line.AppendLiteral("MAINPID=");
            line.AppendFormatted(Environment.ProcessId);
            line.AppendLiteral("\n");
        }
        line.AppendLiteral(Worker.Serves ? "STATUS=serving " : "STATUS=holding ");
        line.AppendLiteral(_mountPoint);
        if (Worker.Exists)
        {
            line.AppendLiteral(Worker.Serves ? ", worker " : ", waiting for worker ");
            line.AppendFormatted(Worker.Process);
        }
        else line.AppendLiteral(", starting a worker");
        line.AppendLiteral(", restarts: ");
        line.AppendFormatted(Page.Restarts);
        line.AppendLiteral(", upgrades: ");
        line.AppendFormatted(Page.Upgrades);
        if (TryTell(line, -1)) (_told, _isAnnounced) = (state, true);
    }

    private void Ping()
    {
        if (_system.Watchdog == 0 || _system.Now < _pingAt) return;
        KeeperLine line = $"WATCHDOG=1";
        if (TryTell(line, -1)) _pingAt = _system.Now + _system.Watchdog / 3;
    }

    /// <summary>A worker that lives and takes no requests: whoever waits for it is better off with the next one.</summary>
    private void ReplaceSilentWorker()
    {
        // 0: it has just begun, or is of a program that shows nothing.
        if (_system.Watchdog == 0 || !Worker.Serves || Page.Beat == 0 || _silent == Worker.Process) return;
        var silence = _system.Now - Math.Max(Page.Beat, Worker.ServesSince);
        if (silence < _system.Watchdog || _system.HasEnded(in Worker)) return;
        _silent = Worker.Process;
        _system.Log(LogLevel.Error, $"worker {Worker.Process} has taken no request for {silence / 1000} s; ending it");
        _system.Kill(in Worker, NativeProcess.SIGKILL);
    }

    /// <summary>The end is in order: nothing is to be held any longer.</summary>
    private void TakeLeave()
    {
        if (!_system.IsSupervised) return;
        KeeperLine line = $"STOPPING=1";
        _ = TryTell(line, -1);
        for (int place = 0, tries = 0; place < Stored.Places && tries < FarewellTries;)
        {
            if (_stored[place] < 0 || TryForget(place)) place++;
            else
            {
                tries++;
                _system.Wait([], (int)TellDelay);
            }
        }
    }

    private bool TryTell(KeeperLine line, int descriptor)
    {
        if (_system.TryTell(line, descriptor)) return true;
        _isBehind = true;
        return false;
    }
}
