using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The planned handover: a successor gets ready beside the worker, the worker finishes its requests in hand and ends, the
/// successor attaches. Until it is ready, nothing has changed for clients; if it dies between there and serving, the previous
/// program is started again.
/// </summary>
internal sealed unsafe partial class Keeper<TSystem>
{
    private const long ReadyPatience = 15_000;
    private const long RetirePatience = 15_000;
    /// <summary>A time stamp for a successor that has exceeded its time.</summary>
    private const long Overdue = long.MaxValue;
    /// <summary>Bytes of a path in a message: the rest of the message needs room.</summary>
    private const int LongestPath = 512;

    private enum UpgradePhase
    {
        None,
        /// <summary>The successor starts.</summary>
        Preparing,
        /// <summary>The worker finishes.</summary>
        Retiring,
        /// <summary>The successor has become the worker, and does not serve yet.</summary>
        TakingOver,
    }

    private UpgradePhase _phase;
    private long _deadline;
    private WorkerSettings _wish;
    private WorkerSettings _before;
    private int _devicesBefore;

    /// <summary>Gets ready beside the worker, to replace it.</summary>
    private ref Watched Successor => ref _family[SuccessorPlace];

    /// <summary>Workers that have left the region to their successors, and still end.</summary>
    private Span<Watched> Retired => _family.AsSpan(RetiredPlace, RetiredPlaces);

    /// <summary>Begins the upgrade of <see cref="_wish"/>. Every request gets an answer, whatever else is under way.</summary>
    private void BeginUpgrade()
    {
        if (_phase != UpgradePhase.None)
        {
            _system.Close(_wish.Program);
            Tell($"an upgrade is under way; one at a time");
            return;
        }
        EndStandby();
        _devicesBefore = Page.DeviceCount;
        Page.Proposed = _wish;
        ref var proposed = ref Page.Proposed;
        if (proposed.Program < 0) proposed.Program = Page.Current.Program;
        if (AddDevices(proposed.Threads) is not Errno.Ok and var none)
        {
            UpgradeFails($"/dev/fuse cannot be cloned for more threads: error {(int)none}; ask for fewer");
            return;
        }
        if (_system.TryStart(Role.Successor, proposed.Program, out Successor) is not Errno.Ok and var error)
        {
            UpgradeFails($"the program cannot be executed: {Words(error)} (error {(int)error}); name one that can");
            return;
        }
        _phase = UpgradePhase.Preparing;
        _deadline = _system.Now + ReadyPatience;
    }

    /// <summary>Messages for a bad file, as existing strings.</summary>
    private static string Words(Errno error) => (int)error switch
    {
        8 => "it is no program",
        13 => "it may not be executed",
        _ => "the kernel refuses it",
    };

    private Errno AddDevices(int threads)
    {
        while (Page.DeviceCount < threads)
        {
            if (_system.TryClone(Page.Devices[0], out var clone) is not Errno.Ok and var error) return error;
            Page.Devices[Page.DeviceCount] = clone;
            Page.DeviceCount++;
        }
        return Errno.Ok;
    }

    private void SuccessorIsReady()
    {
        if (_phase != UpgradePhase.Preparing) return;
        _phase = UpgradePhase.Retiring;
        _deadline = _system.Now + RetirePatience;
        if (Worker.Exists) _system.Send(in Worker, LinkMessage.Retire);
        // It has died since the successor was started.
        else HandOver();
    }

    /// <summary>
    /// The worker has left the region; its end is watched separately. If several are still ending, which takes longer than an
    /// upgrade on a busy machine, waits for this one's end.
    /// </summary>
    private void WorkerRetired()
    {
        if (_phase != UpgradePhase.Retiring || !Successor.Exists) return;
        foreach (ref var place in Retired)
        {
            if (place.Exists) continue;
            KeepUndecidedStop();
            place = Worker;
            HandOver();
            return;
        }
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
        // A worker that was told to retire does so; then there is no successor, and the previous program is started again.
        UpgradeFails(line);
    }

    /// <summary>
    /// Kills a process that exceeds its time: the successor while the worker serves, else the worker, whose requests are sent
    /// again.
    /// </summary>
    private void CheckUpgrade()
    {
        if (_phase == UpgradePhase.None || _system.Now < _deadline) return;
        if (_phase == UpgradePhase.Preparing && Successor.Exists)
        {
            _system.Kill(in Successor, NativeProcess.SIGKILL);
            _deadline = Overdue;
            return;
        }
        if (_phase == UpgradePhase.Retiring && Worker.Exists) _system.Kill(in Worker, NativeProcess.SIGKILL);
        _deadline = _system.Now + RetirePatience;
    }

    /// <summary>The worker is gone: the successor, if it still lives, becomes the worker.</summary>
    private void HandOver()
    {
        if (!Successor.Exists) return;
        _before = Page.Current;
        Page.Current = Page.Proposed;
        Page.ServesSince = 0;
        _phase = UpgradePhase.TakingOver;
        _deadline = long.MaxValue;
        LetTakeOver(ref Successor);
    }

    private void UpgradeDone()
    {
        _phase = UpgradePhase.None;
        if (_before.Program != Page.Current.Program)
        {
            _system.Close(_before.Program);
            _system.HoldProgram(Page.Current.Program);
        }
        Page.Upgrades++;
        _handover.UpgradeProblemBytes.Clear();
        _system.Log(LogLevel.Info, $"worker {Worker.Process} has taken over");
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
        if (Page.Proposed.Program != Page.Current.Program) _system.Close(Page.Proposed.Program);
        Page.Proposed = Page.Current;
        // A living worker has the descriptors that it was started with, and the page lists no others. No request was read through
        // the new ones.
        while (Worker.Exists && Page.DeviceCount > _devicesBefore) _system.Close(Page.Devices[--Page.DeviceCount]);
        Tell(why);
    }

    private void Tell(KeeperLine why)
    {
        var room = _handover.UpgradeProblemBytes;
        room.Clear();
        why.Text[..Math.Min(why.Text.Length, room.Length - 1)].CopyTo(room);
        _system.Log(LogLevel.Warning, $"upgrade refused: {why.Text}");
        if (Worker.Exists) _system.Send(in Worker, LinkMessage.UpgradeFailed);
    }
}
