using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The planned hand-over: a successor gets ready beside the worker, the worker finishes what is in hand and ends, the successor
/// attaches. Until it is ready, nothing has changed for anybody; if it dies between there and serving, the program before it is
/// started again.
/// </summary>
internal sealed unsafe partial class Keeper
{
    private const long ReadyPatience = 15_000;
    private const long RetirePatience = 15_000;
    /// <summary>In the place of a time: the successor has used up its patience.</summary>
    private const long Overdue = long.MaxValue;
    /// <summary>Of a path in a message, bytes: the message has more to say.</summary>
    private const int LongestPath = 512;

    private enum UpgradePhase
    {
        None,
        /// <summary>The successor starts.</summary>
        Preparing,
        /// <summary>The worker finishes.</summary>
        Retiring,
        /// <summary>The successor is the worker, and does not serve yet.</summary>
        TakingOver,
    }

    private UpgradePhase _phase;
    private long _deadline;
    private Watched _successor;
    private WorkerSettings _wish;
    private WorkerSettings _before;
    private int _devicesBefore;
    private void* _program;
    private nuint _programBytes;

    /// <summary>Begins what <see cref="_wish"/> says. Whoever asks gets an answer, whatever else is under way.</summary>
    private void BeginUpgrade()
    {
        if (_phase != UpgradePhase.None)
        {
            if (_wish.Program >= 0) _ = Libc.close(_wish.Program);
            Tell($"an upgrade is under way; one at a time");
            return;
        }
        EndStandby();
        _devicesBefore = Page.DeviceCount;
        Page.Proposed = _wish;
        ref var proposed = ref Page.Proposed;
        if (proposed.Program < 0) proposed.Program = Page.Current.Program;
        if (!AddDevices(proposed.Threads))
        {
            UpgradeFails($"/dev/fuse cannot be cloned for more threads: error {(int)Libc.LastError}; ask for fewer");
            return;
        }
        if (!TryStart(Role.Successor, proposed.Program, out _successor, out var error))
        {
            UpgradeFails($"the program cannot be executed: {Words(error)} (error {(int)error}); name one that can");
            return;
        }
        _phase = UpgradePhase.Preparing;
        _deadline = Environment.TickCount64 + ReadyPatience;
    }

    /// <summary>What a wrong file comes to, in words that are there already.</summary>
    private static string Words(Errno error) => (int)error switch
    {
        8 => "it is no program",
        13 => "it may not be executed",
        _ => "the kernel refuses it",
    };

    private bool AddDevices(int threads)
    {
        while (Page.DeviceCount < threads)
        {
            if (FuseDescriptor.TryClone(Page.Devices[0], out var clone) != Errno.Ok) return false;
            Page.Devices[Page.DeviceCount] = clone;
            Page.DeviceCount++;
        }
        return true;
    }

    private void HandleSuccessor()
    {
        for (var message = _successor.Receive(); message
            is not (LinkMessage.None or LinkMessage.Closed); message = _successor.Receive())
        {
            if (message != LinkMessage.Ready || _phase != UpgradePhase.Preparing) continue;
            _phase = UpgradePhase.Retiring;
            _deadline = Environment.TickCount64 + RetirePatience;
            if (_worker.Exists) _worker.Line.Send(LinkMessage.Retire);
            else
            {
                // It has died since the successor was started.
                HandOver();
                return;
            }
        }
        if (!_successor.HasEnded || !_successor.TryReap(out var death)) return;
        _successor.Forget();
        SuccessorDied(in death);
    }

    private void SuccessorDied(in WorkerDeath death)
    {
        KeeperLine line = $"{PathOf(ref Page.Proposed)} ";
        if (_phase == UpgradePhase.Preparing && _deadline == Overdue)
            line.AppendLiteral("was not ready within 15 s and was ended");
        else
        {
            DeathWords.AppendCauseTo(ref line, in death);
            line.AppendLiteral(_phase == UpgradePhase.Preparing ? " before it was ready" : " when it had just been ready");
        }
        if (_phase == UpgradePhase.Preparing)
            line.AppendLiteral(": it is no tmemd, or none that can take over from this one");
        line.AppendLiteral("; what it wrote, if anything, is in the daemon's log");
        // A worker that was told to retire does; then there is no successor, and the program before is started again.
        UpgradeFails(line);
    }

    /// <summary>
    /// What takes longer than it may is ended: the successor as long as the worker serves, then the worker, whose requests are
    /// sent again.
    /// </summary>
    private void CheckUpgrade()
    {
        if (_phase == UpgradePhase.None || Environment.TickCount64 < _deadline) return;
        if (_phase == UpgradePhase.Preparing && _successor.Exists)
        {
            _ = NativeProcess.kill(_successor.Process, NativeProcess.SIGKILL);
            _deadline = Overdue;
            return;
        }
        else if (_phase == UpgradePhase.Retiring && _worker.Exists)
            _ = NativeProcess.kill(_worker.Process, NativeProcess.SIGKILL);
        _deadline = Environment.TickCount64 + RetirePatience;
    }

    /// <summary>The worker is gone: the successor, if it still lives, is the worker from here on.</summary>
    private void HandOver()
    {
        if (!_successor.Exists) return;
        _before = Page.Current;
        Page.Current = Page.Proposed;
        Page.ServesSince = 0;
        _phase = UpgradePhase.TakingOver;
        _deadline = long.MaxValue;
        LetTakeOver(ref _successor);
    }

    private void UpgradeDone()
    {
        _phase = UpgradePhase.None;
        if (_before.Program != Page.Current.Program)
        {
            _ = Libc.close(_before.Program);
            HoldProgram();
        }
        Page.Upgrades++;
        _handover.UpgradeProblemBytes.Clear();
        KeeperLog.Info($"worker {_worker.Process} has taken over");
    }

    private void UpgradeFailedLate(in WorkerDeath death)
    {
        KeeperLine line = $"{PathOf(ref Page.Current)} ";
        DeathWords.AppendTo(ref line, in death);
        var failed = Page.Current.Program;
        Page.Current = _before;
        Page.Proposed.Program = failed;
        line.AppendLiteral(" although it had been ready; the program before it serves again");
        UpgradeFails(line);
    }

    private static ReadOnlySpan<byte> PathOf(ref WorkerSettings settings)
    {
        var path = Handover.ProgramPathBytes(ref settings);
        return path[..Math.Min(path.Length, LongestPath)];
    }

    private void UpgradeFails(KeeperLine why)
    {
        _phase = UpgradePhase.None;
        if (Page.Proposed.Program >= 0 && Page.Proposed.Program != Page.Current.Program) _ = Libc.close(Page.Proposed.Program);
        Page.Proposed = Page.Current;
        // A worker that lives has the descriptors it was started with, and the page names no others. Nobody has read through the
        // new ones.
        while (_worker.Exists && Page.DeviceCount > _devicesBefore) _ = Libc.close(Page.Devices[--Page.DeviceCount]);
        Tell(why);
    }

    private void Tell(KeeperLine why)
    {
        var room = _handover.UpgradeProblemBytes;
        room.Clear();
        why.Text[..Math.Min(why.Text.Length, room.Length - 1)].CopyTo(room);
        KeeperLog.Warning($"upgrade refused: {why.Text}");
        if (_worker.Exists) _worker.Line.Send(LinkMessage.UpgradeFailed);
    }

    /// <summary>
    /// Maps the program's copy: what is mapped here is locked, so that nothing of it is ever on a swap device when a worker is
    /// started.
    /// </summary>
    private void HoldProgram()
    {
        const int end = 2;
        if (_program != null) _ = Libc.munmap(_program, _programBytes);
        _programBytes = (nuint)Math.Max(0, NativeProcess.lseek(Page.Current.Program, 0, end));
        _program = Libc.mmap(null, _programBytes, Libc.PROT_READ, Libc.MAP_SHARED, Page.Current.Program, 0);
        if ((nint)_program == -1) _program = null;
    }
}
