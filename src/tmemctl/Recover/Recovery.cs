using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Tmem.Fuse.Mount;

namespace Tmem.Ctl.Recover;

/// <summary>What <c>recover</c> did: sentences.</summary>
/// <param name="Done">What was taken away.</param>
/// <param name="Lost">What the death of the daemon cost.</param>
/// <param name="Left">What could not be taken away, each with what to do about it.</param>
internal sealed record RecoverReport(IReadOnlyList<string> Done, IReadOnlyList<string> Lost, IReadOnlyList<string> Left);

/// <summary>
/// Takes away what the kernel still holds of a daemon whose keeper and worker are both dead: swap, loop devices, mount, connection, socket,
/// in the order in which they stand on each other. A mount that a tmemd still holds is never touched.
/// </summary>
internal sealed class Recovery(ISwapSystem swap, IMountSystem mounts, Terminal terminal)
{
    private readonly List<string> _done = [];
    private readonly List<string> _lost = [];
    private readonly List<string> _left = [];

    /// <summary>Carries it out; returns the exit code.</summary>
    /// <param name="only">The one mount to look at; null for all.</param>
    /// <param name="socket">The control socket to remove if nobody serves it.</param>
    public int Run(string? only, string socket)
    {
        var found = mounts.Mounts().Where(mount => only is null || mount.MountPoint == Path.TrimEndingDirectorySeparator(only)).ToList();
        if (only is not null && found.Count == 0) return terminal.Fail(ExitCode.Failed, $"{only} is no tmem mount", "name one that 'grep fuse.tmem /proc/mounts' shows");
        foreach (var mount in found) Recover(mount);
        if (mounts.RemoveStaleSocket(socket)) Done($"removed the socket {socket}, which nobody listened on");
        _ = terminal.Done(new RecoverReport(_done, _lost, _left), CtlJson.Default.RecoverReport, Write);
        return _left.Count == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private void Recover(TmemMount mount)
    {
        var where = Table.Printable(mount.MountPoint);
        if (mount.IsServed)
        {
            terminal.Note($"{where} is held by {string.Join(", ", mount.Holders)}: not touched");
            return;
        }
        if (mount.Holders.Count > 0)
        {
            if (mounts.Abort(mount.Connection) is { } refused)
            {
                _left.Add($"{where}: no tmemd serves it, {string.Join(", ", mount.Holders)} keeps its connection open, and it cannot be aborted ({refused}); end that process, then run recover again");
                return;
            }
            Done($"aborted connection {mount.Connection} of {where}, which no tmemd served and {string.Join(", ", mount.Holders)} kept open");
        }
        else if (!mounts.IsDead(mount.MountPoint))
        {
            terminal.Note($"{where} still answers: not touched");
            return;
        }
        var free = true;
        foreach (var loop in swap.Loops().Where(loop => MountTable.IsBelow(loop.BackingFile, mount.MountPoint))) free &= Release(loop);
        if (free) Unmount(mount, where);
    }

    /// <summary>Ends swap on a loop device and detaches it. Its pages cannot be read any more.</summary>
    private bool Release(LoopBacking loop)
    {
        if (swap.Swaps().FirstOrDefault(entry => entry.Device == loop.Device) is { } entry)
        {
            terminal.Note($"swapoff {loop.Device}: {Words.Size(entry.UsedBytes)} were swapped to it, this may take a while");
            if (swap.SwapOff(loop.Device) is { } stuck)
            {
                _left.Add($"swap on {loop.Device} stays ({stuck}); end the processes that use it (grep VmSwap /proc/*/status), then run recover again, or restart the machine");
                return false;
            }
            Done($"turned swap on {loop.Device} off");
            if (entry.UsedBytes > 0)
                _lost.Add($"up to {Words.Size(entry.UsedBytes)} that had been swapped to {loop.Device}: a process that touches a page of it is ended by SIGBUS");
        }
        if (swap.DetachLoop(loop.Device) is { } busy)
        {
            _left.Add($"{loop.Device} stays attached ({busy}); unmount or close what uses it, then run recover again");
            return false;
        }
        Done($"detached {loop.Device}");
        return true;
    }

    private void Unmount(TmemMount mount, string where)
    {
        var lazily = mounts.Unmount(mount.MountPoint, lazily: false) is not null;
        if (lazily && mounts.Unmount(mount.MountPoint, lazily: true) is { } refused)
        {
            _left.Add($"{where} stays mounted ({refused}); run recover as root");
            return;
        }
        Done(lazily ? $"unmounted {where} lazily: files on it are open still, and every use of them fails" : $"unmounted {where}");
        _lost.Add($"what was stored below {where}, unless the daemon had a region file: then 'tmemd --region FILE' with that file brings it back");
    }

    private void Done(string what)
    {
        _done.Add(what);
        terminal.Note(what);
    }

    private void Write(TextWriter output)
    {
        foreach (var lost in _lost) output.WriteLine("lost: " + lost);
        foreach (var left in _left) output.WriteLine("left: " + left);
        if (_done.Count == 0 && _left.Count == 0) output.WriteLine("nothing to recover: no tmem mount is dead");
    }
}
