using Tmem.Ctl.Output;
using Tmem.Fuse.Control.Messages;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Undoes "swap on", whatever of it there is: swapoff, detach, unlink, and the pool if "swap on" made it. Each step takes what is undone already
/// for done, so a run that failed half way is repeated after its cause is gone.
/// </summary>
internal sealed class SwapOff(CommandContext context)
{
    private readonly Terminal _terminal = context.Terminal;

    /// <summary>Carries it out; returns the exit code.</summary>
    public int Run()
    {
        if (!_terminal.Take(Status(), out var before, out var exit)) return exit;
        var files = SwapFile.Find(context.System, before.MountPoint);
        if (files.Count == 0)
        {
            return _terminal.Done(new SwapOffReport([], [], before.Store.UsedBytes, before.Store.UsedBytes), CtlJson.Default.SwapOffReport,
                output => output.WriteLine($"swap is off already: nothing to undo on {Table.Printable(before.MountPoint)}"));
        }
        var pools = new List<string>();
        foreach (var file in files)
        {
            if (Undo(file, pools) is { } problem) return _terminal.Fail(ExitCode.Failed, problem, "remove the cause and run 'tmemctl swap off' again");
        }
        if (!_terminal.Take(Status(), out var after, out exit)) return exit;
        var report = new SwapOffReport([.. files.Select(file => file.Device).OfType<string>()], pools, before.Store.UsedBytes, after.Store.UsedBytes);
        return _terminal.Done(report, CtlJson.Default.SwapOffReport, output => Write(output, report, after));
    }

    private string? Undo(SwapFile file, List<string> poolsRemoved)
    {
        var system = context.System;
        var mark = system.Mark(file.Path);
        if (file.Entry is { } entry)
        {
            _terminal.Note($"swapoff {entry.Device}: {Words.Size(entry.UsedBytes)} return to memory, this may take a while");
            if (system.SwapOff(entry.Device) is { } off) return $"swap off failed at the step 'swapoff {entry.Device}': {off}";
        }
        if (file.Device is { } device && system.DetachLoop(device) is { } detach) return $"swap off failed at the step 'detach {device}': {detach}";
        if (system.RemoveFile(file.Path) is { } remove) return $"swap off failed at the step 'remove {file.Path}': {remove}";
        return mark == SwapFile.PoolMade ? DestroyPool(file.Pool, poolsRemoved) : null;
    }

    private string? DestroyPool(string pool, List<string> poolsRemoved)
    {
        var reply = context.Client.Call(ControlMethod.PoolDestroy, new PoolDestroyParameters { Name = pool },
            ControlJson.Default.PoolDestroyParameters, ControlReplyJson.Default.PoolDestroyReply);
        switch (reply)
        {
            case { Value: not null }:
                poolsRemoved.Add(pool);
                return null;
            case { Error.Code: ControlErrorCode.NotFound }:
                return null;
            case { Error.Code: ControlErrorCode.NotEmpty }:
                _terminal.Note($"pool {Table.Printable(pool)} stays: it holds other files");
                return null;
            default:
                return $"swap off failed at the step 'destroy pool {pool}': {reply.Error?.Message ?? reply.Unreachable}";
        }
    }

    private Reply<StatusReply> Status() => context.Client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply);

    private static void Write(TextWriter output, SwapOffReport report, StatusReply after)
    {
        var pools = report.PoolsRemoved.Count == 0 ? "" : $", pool {Table.Printable(string.Join(", ", report.PoolsRemoved))} removed";
        output.WriteLine($"swap is off{pools}: {Words.Size(report.FreedBytes)} freed, the store uses {Words.Size(after.Store.UsedBytes)}");
    }
}
