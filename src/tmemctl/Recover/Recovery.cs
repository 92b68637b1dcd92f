using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Recover;

/// <summary>
/// Tears down what the kernel still holds of a daemon whose keeper and worker are both dead: swap, loop devices, mount, socket,
/// in the order of their dependence. The kernel itself decides which is dead: a connection that all its processes have closed.
/// Names of processes prove nothing, nor does their absence, since those of another PID namespace are invisible; a mount that is
/// neither dead nor answers is left, with exit code 1, and never aborted.
/// </summary>
internal sealed class Recovery(ISwapSystem swap, IMountSystem mounts, Terminal terminal, ControlCommand tmemctl)
{
    private readonly List<string> _done = [];
    private readonly List<string> _lost = [];
    private readonly List<string> _left = [];
    private string _command = "";

    /// <summary>Carries it out; returns the exit code.</summary>
    /// <param name="only">The one mount to check; null for all.</param>
    /// <param name="socket">The control socket to remove if it is not served.</param>
    /// <param name="isItsOwn">
    /// Whether a mount's daemon had that socket, as far as its name tells: the other mounts are not touched. Null if nobody has
    /// named one.
    /// </param>
    public int Run(string? only, string socket, Func<TmemMount, bool>? isItsOwn = null)
    {
        _command = only is null ? tmemctl.Line("recover") : tmemctl.Line("recover --mount", only);
        var found = mounts.Mounts().Where(mount => only is null || mount.MountPoint == Path.TrimEndingDirectorySeparator(only))
            .ToList();
        if (only is not null && found.Count == 0)
            return terminal.Fail(ExitCode.Failed, $"{only} is no tmem mount",
                "name one that 'grep fuse.tmem /proc/mounts' shows");
        var own = only is not null || isItsOwn is null ? found : found.FindAll(mount => isItsOwn(mount));
        // A dead mount does not tell which socket its daemon had. One of a stranger's would be gone for good.
        if (own.Count == 0) found.ForEach(Offer);
        else own.ForEach(Recover);
        if (_left.Count == 0 || own.Count > 0) Remove(socket);
        _ = terminal.Done(new RecoverReport(_done, _lost, _left), Write);
        return _left.Count == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private void Remove(string socket)
    {
        if (mounts.RemoveStaleSocket(socket, out var left)) Done($"removed the socket {socket}, which nobody listened on");
        else if (left is not null) _left.Add(left);
    }

    /// <summary>Names a dead mount that may be another daemon's, and touches nothing.</summary>
    private void Offer(TmemMount mount)
    {
        if (mounts.Over(mount) is null && mounts.State(mount) == MountState.Dead)
            _left.Add($"{mount.MountPoint} is dead, and whether its daemon had that socket cannot be told: not touched; if it is "
                + $"yours, run '{tmemctl.Line("recover --mount", mount.MountPoint)}'");
    }

    private void Recover(TmemMount mount)
    {
        var where = mount.MountPoint;
        if (mounts.Over(mount) is { } over)
        {
            if (!mounts.IsGone(mount)) _left.Add($"{where} cannot be asked and stays: {over}, then run '{_command}' again");
            return;
        }
        switch (mounts.State(mount))
        {
            case MountState.Answers:
                terminal.Note($"{where} answers: not touched");
                return;
            case MountState.Silent:
                _left.Add($"{where} does not answer and is not known to be dead: not touched; {WhatToDo(mount)}");
                return;
        }
        if (mounts.Below(mount) is { } below)
        {
            _left.Add($"{where} is dead and stays: {below}, then run '{_command}' again");
            return;
        }
        var free = true;
        foreach (var loop in swap.Loops().Where(loop => IsOn(loop, mount))) free &= Release(loop);
        if (free) Unmount(mount, where);
    }

    private string WhatToDo(TmemMount mount) => mount.Holders.Count > 0
        ? $"{Counted.Names(mount.Holders)} {(mount.Holders.Count == 1 ? "has" : "have")} its connection open: let "
            + $"{(mount.Holders.Count == 1 ? "it go on, or end it" : "them go on, or end them")}, then run "
            + $"'{_command}' again"
        : "whoever serves it may be stopped, or in another PID namespace: run this there; if you know that nobody serves it "
            + "any more, end the connection with "
            + $"'echo 1 > /sys/fs/fuse/connections/{mount.Connection}/abort', then run '{_command}' again";

    /// <summary>
    /// By the device's number, if the kernel can still tell; for most files of a dead server it cannot, and then by the path.
    /// </summary>
    private static bool IsOn(LoopBacking loop, TmemMount mount) => loop.File is { } file ? file.IsOn(mount.Connection)
        : MountTable.IsBelow(loop.BackingFile, mount.MountPoint);

    /// <summary>Ends swap on a loop device and detaches it. Its pages are lost.</summary>
    private bool Release(LoopBacking loop)
    {
        if (swap.Swaps().FirstOrDefault(entry => entry.Device == loop.Device) is { } entry)
        {
            terminal.Note($"swapoff {loop.Device}: {Words.Size(entry.UsedBytes)} were swapped to it, this may take a while");
            if (swap.SwapOff(loop.Device) is { } stuck)
            {
                _left.Add(
                    $"swap on {loop.Device} stays ({stuck}); end the processes that use it (grep VmSwap /proc/*/status), then "
                    + $"run '{_command}' again, or restart the machine");
                return false;
            }
            Done($"turned swap on {loop.Device} off");
            if (entry.UsedBytes > 0)
                _lost.Add(
                    $"up to {Words.Size(entry.UsedBytes)} that had been swapped to {loop.Device}: a process that touches a page "
                    + "of it is ended by SIGBUS");
        }
        if (swap.DetachLoop(loop.Device) is { } busy)
        {
            _left.Add($"{loop.Device} stays attached ({busy}); unmount or close what uses it, then run '{_command}' "
                + "again");
            return false;
        }
        Done($"detached {loop.Device}");
        return true;
    }

    private void Unmount(TmemMount mount, string where)
    {
        var lazily = mounts.Unmount(mount, lazily: false) is not null;
        if (lazily && mounts.Unmount(mount, lazily: true) is { } refused)
        {
            if (!mounts.IsGone(mount)) _left.Add($"{where} stays mounted ({refused}); run '{_command}' as root");
            return;
        }
        Done(lazily ? $"unmounted {where} lazily: files on it are open still, and every use of them fails"
            : $"unmounted {where}");
        _lost.Add(
            $"what was stored below {where}, unless the daemon had a region file: then 'tmemd --region FILE' with that file "
            + "brings it back");
    }

    private void Done(string what)
    {
        _done.Add(what);
        terminal.Note(what);
    }

    private void Write(TextWriter output)
    {
        foreach (var lost in _lost) output.WriteLine("lost: " + Table.Printable(lost));
        foreach (var left in _left) output.WriteLine("left: " + Table.Printable(left));
        if (_done.Count == 0 && _left.Count == 0) output.WriteLine("nothing to recover: no tmem mount is dead");
    }
}
