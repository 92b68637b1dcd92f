using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Undoes "swap on", or what is left of it: swapoff, detach, unlink, and the pool if "swap on" made it. Each step counts what is
/// gone already as done, so a run that failed half way can be repeated once its cause is gone. What "swap on" did not make is not
/// touched.
/// </summary>
internal sealed class SwapOff(SwapContext context)
{
    private const string OutOfMemory = "(errno 12)";

    private readonly Terminal _terminal = context.Terminal;
    private readonly string _again = context.Tmemctl.Line("swap off");

    /// <summary>Carries it out; returns the exit code.</summary>
    /// <param name="force">Even if there is certainly too little memory.</param>
    public int Run(bool force)
    {
        if (!_terminal.Take(context.Client.Status(), out var before, out var exit)
            || !context.TryLock(before, "swap off", out var alone, out exit)) return exit;
        using var held = alone;
        if (!SwapFile.TryFind(context, before, out var files, out exit)) return exit;
        var ours = files.Where(file => file.IsOurs).ToList();
        foreach (var other in files.Where(file => !file.IsOurs))
            _terminal.Note(
                $"{other.Device} (file {Table.Printable(other.Path)}) was not made by "
                + $"'{context.Tmemctl.Line("swap on")}' and stays: turn it off with 'swapoff {other.Device}'");
        if (ours.Count == 0)
        {
            return _terminal.Done(new SwapOffReport([], [], before.Store.UsedBytes, before.Store.UsedBytes),
                output => output.WriteLine($"swap is off already: nothing to undo on {Table.Printable(before.MountPoint)}"));
        }
        var removal = new SwapRemoval(context, before);
        foreach (var file in ours)
        {
            if (file.Entry is { } entry
                && TurnOff(entry, file.Pool, before.Processes.WorkerPid, force) is var (what, remedy))
                return _terminal.Fail(ExitCode.Failed, what, remedy);
            if (removal.Run(file) is { } problem) return _terminal.Fail(ExitCode.Failed, $"swap off failed: {problem}",
                $"remove the cause and run '{_again}' again");
        }
        if (!_terminal.Take(context.Client.Status(), out var after, out exit)) return exit;
        var report = new SwapOffReport([.. ours.Select(file => file.Device).OfType<string>()], removal.PoolsRemoved,
            before.Store.UsedBytes, after.Store.UsedBytes);
        return _terminal.Done(report, output => Write(output, report, after));
    }

    private (string What, string Remedy)? TurnOff(SwapEntry entry, string pool, int daemon, bool force)
    {
        var room = "end processes, raise the limit of their memory group or turn on other swap, then run "
            + $"'{_again}' again";
        if (!force && Shortage(entry, pool, daemon) is { } shortage)
        {
            return ($"swap stays on: {shortage}. The kernel would kill processes to make room",
                room + ", or with --force to have it try");
        }
        _terminal.Note($"swapoff {entry.Device}: {Words.Size(entry.UsedBytes)} return to memory, this may take a while");
        if (context.System.SwapOff(entry.Device) is not { } off) return null;
        // It has moved as much as it could: less is missing by now.
        var now = context.System.Swaps().FirstOrDefault(swap => swap.Device == entry.Device) ?? entry;
        return ($"swap off failed: could not swapoff {entry.Device}: {off}"
            + (Shortage(now, pool, daemon) is { } missing ? $"; {missing}" : ""),
            off.Contains(OutOfMemory, StringComparison.Ordinal) ? room : $"remove the cause and run '{_again}' again");
    }

    private string? Shortage(SwapEntry entry, string pool, int daemon)
    {
        var figures = context.Client.ShowPool(pool).Value?.Figures;
        return context.System.Memory(daemon)
            .Shortage(entry, context.System.Swaps(), figures is null ? 0 : figures.SlotBytes + figures.IndexBytes);
    }

    private static void Write(TextWriter output, SwapOffReport report, StatusReply after)
    {
        var pools = report.PoolsRemoved.Count == 0 ? ""
            : $", pool {Table.Printable(string.Join(", ", report.PoolsRemoved))} removed";
        output.WriteLine(
            $"swap is off{pools}: {Words.Size(report.FreedBytes)} freed, the store uses {Words.Size(after.Store.UsedBytes)}");
    }
}
