using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Undoes "swap on", or what is left of it: swapoff, detach, unlink, and the pool if "swap on" made it. Each step counts what is
/// gone already as done, so a run that failed half way can be repeated once its cause is gone. What "swap on" did not make is not
/// touched.
/// </summary>
/// <param name="context">The environment.</param>
/// <param name="pool">The device; null for the one that is on.</param>
/// <param name="all">Every device.</param>
internal sealed class SwapOff(SwapContext context, string? pool, bool all)
{
    private const string OutOfMemory = "(errno 12)", Interrupted = "(errno 4)";

    private readonly Terminal _terminal = context.Terminal;
    private readonly string _again = pool is not null ? context.OffLine(pool)
        : context.Tmemctl.Line(all ? "swap off --all" : "swap off");

    /// <summary>Carries it out; returns the exit code.</summary>
    /// <param name="force">Even if there is certainly too little memory.</param>
    public int Run(bool force)
    {
        if (!_terminal.Take(context.Client.Status(), out var before, out var exit)
            || !context.TryLock(before, _again, out var alone, out exit)) return exit;
        using var held = alone;
        if (!SwapFile.TryFind(context, before, out var files, out exit)) return exit;
        foreach (var other in files.Where(file => !file.IsOurs && (pool is null || file.Pool == pool)))
            _terminal.Note(
                $"{other.Device} (file {Table.Printable(other.Path)}) was not made by "
                + $"'{context.Tmemctl.Line("swap on")}' and stays: turn it off with 'swapoff {other.Device}'");
        var ours = files.Where(file => file.IsOurs && (pool is null || file.Pool == pool)).ToList();
        var on = ours.FindAll(file => file.Entry is not null);
        // Nobody who has one device names it, and nobody who has two means both by a word that they had for one.
        if (pool is null && !all && on.Count > 1)
            return _terminal.Fail(ExitCode.Failed,
                $"{on.Count} swap devices are on, and stay: {Counted.Names([.. on.Select(file => file.Words)])}",
                $"name one: '{context.Tmemctl.Line("swap off NAME")}', or '{context.Tmemctl.Line("swap off --all")}'");
        if (ours.Count == 0)
        {
            var others = files.Where(file => file is { IsOurs: true, Entry: not null }).Select(file => file.Words).ToList();
            return _terminal.Done(new SwapOffReport([], [], before.Store.UsedBytes, before.Store.UsedBytes),
                output => output.WriteLine(Table.Printable((pool is null ? "swap" : $"swap '{pool}'")
                    + $" is off already: nothing to undo on {before.MountPoint}"
                    + (others.Count == 0 ? "" : $", where {Counted.Names(others)} {(others.Count == 1 ? "is" : "are")} on"))));
        }
        if (!force && Shortage(on, before.Processes.WorkerPid) is { } shortage)
            return _terminal.Fail(ExitCode.Failed, $"swap stays on: {shortage}. The kernel would kill processes to make room",
                Room + ", or with --force to have it try");
        var removal = new SwapRemoval(context, before);
        foreach (var file in ours)
        {
            if (TurnOff(file, before.Processes.WorkerPid) is var (what, remedy))
                return _terminal.Fail(ExitCode.Failed, what, remedy);
            if (removal.Run(file) is { } problem) return _terminal.Fail(ExitCode.Failed, $"swap off failed: {problem}",
                $"remove the cause and run '{_again}' again");
        }
        if (!_terminal.Take(context.Client.Status(), out var after, out exit)) return exit;
        var report = new SwapOffReport([.. ours.SelectMany(file => file.Parts).Select(part => part.Device)], removal.PoolsRemoved,
            before.Store.UsedBytes, after.Store.UsedBytes);
        return _terminal.Done(report, output => Write(output, report, after));
    }

    private string Room => "end processes, raise the limit of their memory group or turn on other swap, then run "
        + $"'{_again}' again";

    private (string What, string Remedy)? TurnOff(SwapFile file, int daemon)
    {
        if (file.Entry is not { } whole) return null;
        _terminal.Note($"swapoff {file.Device}: {Words.Size(whole.UsedBytes)} return to memory, this may take a while");
        using var progress = _terminal.Progress(() => Now(file).Entry is { } now
            ? $"{Words.Size(now.UsedBytes)} of {Words.Size(whole.UsedBytes)} are still on {file.Device}" : null,
            context.ProgressPause);
        // The last first: what is swapped out meanwhile goes to those before it.
        var parts = file.Entries;
        for (var number = parts.Count - 1; number >= 0; number--)
        {
            var part = parts[number];
            if (context.System.SwapOff(part.Device) is not { } off) continue;
            // It has moved as much as it could: less is missing by now.
            var missing = Shortage([Now(file)], daemon);
            foreach (var done in parts.Skip(number + 1)) context.System.SwapOn(done.Device, done.Priority);
            if (off.Contains(Interrupted, StringComparison.Ordinal))
                return ($"swap off was interrupted: {file.Device} is on, with what has not returned to memory yet",
                    $"'{_again}' goes on");
            return ($"swap off failed: could not swapoff {part.Device}: {off}" + (missing is null ? "" : $"; {missing}"),
                off.Contains(OutOfMemory, StringComparison.Ordinal) ? Room : $"remove the cause and run '{_again}' again");
        }
        return null;
    }

    /// <summary>The kernel keeps the line of a part until its last page is back.</summary>
    private SwapFile Now(SwapFile file)
    {
        var swaps = context.System.Swaps();
        return file with { Parts = [.. file.Parts.Select(part =>
            part with { Entry = swaps.FirstOrDefault(swap => swap.Device == part.Device) })] };
    }

    /// <summary>Of all that are to be turned off together: none of them has room for what another one gives back.</summary>
    private string? Shortage(List<SwapFile> devices, int daemon)
    {
        if (devices.Count == 0) return null;
        var stored = devices.Sum(device => context.Client.ShowPool(device.Pool).Value?.Figures is { } figures
            ? figures.SlotBytes + figures.IndexBytes : 0);
        return context.System.Memory(daemon)
            .Shortage([.. devices.SelectMany(device => device.Entries)], context.System.Swaps(), stored);
    }

    private static void Write(TextWriter output, SwapOffReport report, StatusReply after)
    {
        var pools = report.PoolsRemoved.Count == 0 ? ""
            : $", pool {Table.Printable(string.Join(", ", report.PoolsRemoved))} removed";
        output.WriteLine(
            $"swap is off{pools}: {Words.Size(report.FreedBytes)} freed, the store uses {Words.Size(after.Store.UsedBytes)}");
    }
}
