using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl status</c>.</summary>
internal static class StatusCommand
{
    private const int LongestWatch = 86_400;

    public static Verb Create()
    {
        var watch = Takes.Number("--watch", "Show it again every so many seconds until interrupted, for example --watch 5.", 1,
            LongestWatch);
        return new("status", "Shows the daemon, its memory and what it has stored.",
            (context, parse) => parse.GetValue(watch) is { } seconds
                ? Repetition.Run(context.Terminal.Output, context.Terminal.IsPerson, () => Run(context), () =>
                {
                    Thread.Sleep(TimeSpan.FromSeconds(seconds));
                    return true;
                })
                : Run(context), watch);
    }

    private static int Run(CommandContext context)
    {
        if (!context.Terminal.Take(context.Client.Status(), out var status, out var exit)) return exit;
        var swap = SwapStatusReport.Off;
        if (!context.Terminal.Json
            && !new SwapStatus(context.Swap).TryReport(status, wantsLeftovers: false, out swap, out exit)) return exit;
        return context.Terminal.Done(status, output => Write(output, status, swap.Devices, context.Tmemctl));
    }

    private static void Write(TextWriter output, StatusReply status, IReadOnlyList<SwapDeviceReport> swap,
        ControlCommand tmemctl)
    {
        var (store, total) = (status.Store, status.Total);
        Table.WritePairs(output,
        [
            ("daemon",
                $"tmemd {Program(status)}, process {status.Pid}, {Counted.Of(status.Threads, "thread")}"
                + (status.Codec is { } codec ? $", new pages {codec}" : "") + $", up {Words.Duration(status.UptimeSeconds)}"),
            .. Keeper(status),
            .. Processes(status.Processes, tmemctl),
            ("mount", status.MountPoint),
            ("socket", status.SocketPath),
            ("region", $"{status.Region}, generation {store.Generation}"),
            .. Rows(store.Durability, status.MountPoint, tmemctl),
            ("capacity", Words.Size(store.CapacityBytes)),
            ("used",
                $"{Words.Size(store.UsedBytes)} ({Words.Share(store.UsedBytes, store.CapacityBytes)}), peak "
                + $"{Words.Size(store.PeakUsedBytes)}"),
            .. Reserve(store, status.ReserveExcess),
            ("  pages",
                $"{Words.Size(store.PageSpanBytes)}, {Words.Size(store.SlackBytes)} of all slabs not in use, {store.SlotsMoved} "
                + "slots moved to close holes"),
            ("  metadata",
                $"{Words.Size(store.MetadataBytes)}, of it {Words.Size(store.RecordSpanBytes)} files and names, "
                + $"{Words.Size(store.ReadySpanBytes)} kept ready"),
            .. Rows(store.Recompression, total),
            .. swap.Select(
                device =>
                    ("swap",
                        $"{device.Device}, pool {device.Pool}, {Words.Size(device.UsedBytes)} of "
                        + $"{Words.Size(device.SizeBytes)} used; "
                        + SwapStatus.Room(device))),
            ("pools", Words.Count(status.Pools)),
            .. FigureTable.Rows(total),
        ]);
    }

    private static IEnumerable<(string, string)> Rows(RecompressionFigures figures, PoolFigures total)
    {
        if (!figures.InBackground && figures.Dictionaries.Count == 0) yield break;
        yield return ("recompression",
            $"{(figures.InBackground ? "in the background" : "only when asked for")}, {figures.ProcessorSeconds:F1} s of a "
            + $"processor, {Words.Size(total.RecompressionBytes)} won");
        if (figures.Dictionaries.Count == 0) yield break;
        var (oldest, bytes) = (figures.Dictionaries.Min(one => one.MadeAt), figures.Dictionaries.Sum(one => one.Bytes));
        var age = Math.Max(0, (DateTimeOffset.UtcNow - oldest).TotalSeconds);
        yield return ("  dictionaries", $"{figures.Dictionaries.Count}, {Words.Size(bytes)}, the oldest made "
            + $"{Words.Duration(age)} ago");
    }

    private static IEnumerable<(string, string)> Reserve(StoreFigures store, ReserveExcess? excess)
    {
        if (excess is var (what, remedy)) yield return ("  NO ROOM", $"{what}; {remedy}");
        if (store.ReservedBytes != 0)
            yield return ("reserved",
                $"{Words.Size(store.ReservedBytes)} for pools, {Words.Size(store.UnmetReserveBytes)} of it not in use");
    }

    private static string Program(StatusReply status) =>
        status.Version + (status.Commit is { } commit ? "+" + commit : "");

    private static IEnumerable<(string, string)> Keeper(StatusReply status)
    {
        var (keeper, isThere) = (status.Processes.KeeperVersion, status.Processes.KeeperPid != 0);
        // A worker that tells its commit has a keeper that tells its version, unless that is an older program.
        if (isThere && (keeper is null ? status.Commit is not null : keeper != Program(status)))
            yield return ("  keeper", $"tmemd {keeper ?? "of an earlier version"}: an upgrade replaces the worker, and the "
                + "keeper stays what it was until tmemd is started again");
    }

    private static IEnumerable<(string, string)> Processes(ProcessFigures processes, ControlCommand tmemctl)
    {
        yield return ("protected", processes.KeeperPid != 0
            ? $"yes: keeper {processes.KeeperPid} replaces worker {processes.WorkerPid} if it "
                + $"dies{(processes.StandbyPid != 0 ? $", {processes.StandbyPid} stands by" : "")}"
            : $"NO: the keeper is dead, and if worker {processes.WorkerPid} dies, the mount and what is swapped to it are lost; "
                + $"run '{tmemctl.Line("adopt")}'");
        yield return ("workers",
            $"{Counted.Of(processes.Restarts, "restart")}{Revived(processes)}, {Counted.Of(processes.Upgrades, "upgrade")}");
        if (processes.LastDeath is { } death)
            yield return ("last death", $"{processes.LastDeathAt:yyyy-MM-dd HH:mm:ss} UTC: {death}");
        if (processes.SwapDanger is var (what, remedy)) yield return ("do not swap", $"{what}; {remedy}");
        if (processes.UpgradeProblem is { } problem) yield return ("last upgrade", "refused: " + problem);
    }

    private static string Revived(ProcessFigures processes) => processes.Revivals == 0 ? ""
        : $", {processes.Revivals} of them by the supervisor after all processes had died";

    private static IEnumerable<(string, string)> Rows(DurabilityFigures figures, string mount, ControlCommand tmemctl)
    {
        if (figures.Tracking == "none") yield break;
        if (figures.FileMovedTo is { } name)
            yield return ("  MOVED", $"the region's file is now at {name}: start with that, or move it back");
        var state = figures.FileRemoved
            ? "THE FILE HAS BEEN REMOVED OR REPLACED, and all that is stored would be lost with this daemon: copy what is needed "
                + $"out of {mount}, then stop with '{tmemctl.Line("stop --discard")}'; "
            : figures.LastFailed
                ? $"THE LAST TIME FAILED, {Words.Size(figures.BytesBehind)} are in memory alone: see to the disk of the region's "
                    + "file; "
                : "";
        var unquiet = figures.Unquiet > 0 ? $", {figures.Unquiet} not quiet" : "";
        yield return ("  made durable", $"{state}{Counted.Of(figures.Checkpoints, "time")}, "
            + $"{Counted.Of(figures.Failures, "failure")}{unquiet}, "
            + $"longest standstill {figures.LongestStandstillMicroseconds} us, changes known by {figures.Tracking}");
    }
}
