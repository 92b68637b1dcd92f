using System.Globalization;
using Tmem.Control.Messages;
using Tmem.Ctl.Metrics;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Top;

/// <summary>One frame of <c>tmemctl top</c>, as lines of text: what is shown depends on nothing else.</summary>
internal static class TopView
{
    private const int BarWidth = 30;
    private const int FiguresOfPool = 80, ShortestName = 12;

    /// <summary>A frame, with all lines for a printer, and at least those that a terminal has room for.</summary>
    /// <param name="change">The figures.</param>
    /// <param name="order">The order of the pools.</param>
    /// <param name="from">The first pool that is shown.</param>
    /// <param name="width">Of the terminal: longer names of pools leave their figures no room, and are shortened.</param>
    /// <param name="height">Of the terminal: no more pools are laid out.</param>
    public static IReadOnlyList<string> Lines(Change change, PoolOrder order, int from, int width = int.MaxValue,
        int height = int.MaxValue)
    {
        using var text = new StringWriter { NewLine = "\n" };
        Table.WritePairs(text, Head(change));
        text.WriteLine();
        Write(text, Requests(change));
        text.WriteLine();
        Write(text, Processes(change));
        if (change.Now.Swap.Count > 0)
        {
            text.WriteLine();
            Write(text, Swap(change.Now));
        }
        text.WriteLine();
        Write(text, Pools(change, order, from, Math.Max(ShortestName, width - FiguresOfPool), Math.Max(height, 0)));
        return text.ToString().TrimEnd('\n').Split('\n');
    }

    /// <summary>The part of the lines that a terminal has room for.</summary>
    public static IEnumerable<string> Cut(IEnumerable<string> lines, int width, int height) =>
        lines.Take(Math.Max(height, 0)).Select(line => Cells.Cut(line, width));

    private static IEnumerable<(string, string)> Head(Change change)
    {
        var (status, store, total) = (change.Now.Status, change.Now.Status.Store, change.Now.Status.Total);
        var processes = status.Processes;
        yield return ("tmem", $"{status.MountPoint}, tmemd {status.Version}, up {Words.Duration(status.UptimeSeconds)}, "
            + $"{Counted.Of(processes.Restarts, "restart")}, {Counted.Of(processes.Upgrades, "upgrade")}, "
            + (processes.KeeperPid != 0 ? "protected" : "NOT PROTECTED"));
        if (processes.SwapDanger is { } danger) yield return ("do not swap", danger.What);
        if (store.Durability is { FileRemoved: true }) yield return ("region", "ITS FILE HAS BEEN REMOVED OR REPLACED");
        else if (store.Durability is { LastFailed: true }) yield return ("region", "ITS FILE CANNOT BE WRITTEN");
        yield return ("store", $"[{Bar(store.UsedBytes, store.CapacityBytes)}] {Words.Size(store.UsedBytes)} of "
            + $"{Words.Size(store.CapacityBytes)} ({Words.Share(store.UsedBytes, store.CapacityBytes)}), peak "
            + Words.Size(store.PeakUsedBytes));
        yield return ("stored", $"{Counted.Of(total.Pages, "page")}: {Words.Size(total.OriginalBytes)} as "
            + $"{Words.Size(total.CompressedBytes)}, ratio {Words.Ratio(total.OriginalBytes, total.CompressedBytes)}, corrupt "
            + Words.Count(total.CorruptPages));
        yield return ("a second", $"puts {PerSecond(change.Rate(figures => figures.PutsStored))}, refused "
            + $"{PerSecond(change.Rate(PoolOrders.Refused))}, gets {PerSecond(change.Rate(figures => figures.Gets))}, not found "
            + $"{PerSecond(change.Rate(figures => figures.GetMisses))}, evicted "
            + PerSecond(change.Rate(figures => figures.Evictions)));
    }

    private static string Bar(long part, long whole)
    {
        var full = whole <= 0 ? 0 : (int)Math.Clamp(part * BarWidth / (double)whole, 0, BarWidth);
        return new string('#', full) + new string('-', BarWidth - full);
    }

    private static (string[] Head, IEnumerable<string[]> Rows) Requests(Change change) =>
        (["REQUESTS", "PER S>", "MEAN>", "MEDIAN>", "99 %>"], change.Now.Reply.Requests.Select(requests =>
        {
            var latency = change.Latency(requests);
            return (string[])[requests.Kind, PerSecond(latency.Rate), Time(latency.Mean), Time(latency.Quantile(0.5)),
                Time(latency.Quantile(0.99))];
        }));

    private static (string[] Head, IEnumerable<string[]> Rows) Processes(Change change) =>
        (["DAEMON", "PID>", "OWN>", "RESIDENT>", "CPU>"], change.Now.Processes.Select(process => (string[])
        [
            process.Role, Words.Count(process.Pid), Words.Size(process.OwnBytes), Words.Size(process.ResidentBytes),
            change.Load(process) is { } load ? (100 * load).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "-",
        ]));

    private static (string[] Head, IEnumerable<string[]> Rows) Swap(Snapshot now) =>
        (["SWAP", "SIZE>", "USED>", "POOL"], now.Swap.Select(device => (string[])
            [device.Device, Words.Size(device.SizeBytes), Words.Size(device.UsedBytes), device.Pool]));

    private static (string[] Head, IEnumerable<string[]> Rows) Pools(Change change, PoolOrder order, int from,
        int longest, int most)
    {
        string Title(string title, PoolOrder its) => its == order ? $"[{title}]>" : title + ">";
        return (
            [
                order == PoolOrder.Name ? "[POOL]" : "POOL", "KIND", Title("MEMORY", PoolOrder.Memory),
                Title("PAGES", PoolOrder.Pages), Title("RATIO", PoolOrder.Ratio), Title("PUTS/S", PoolOrder.Puts),
                Title("REFUSED/S", PoolOrder.Refused), Title("GETS/S", PoolOrder.Gets), Title("EVICTED/S", PoolOrder.Evicted),
            ],
            order.Sort(change).Skip(from).Take(most).Select(pool => (string[])
            [
                Cells.Shorten(Table.Printable(pool.Name), longest), pool.Kind, Words.Size(PoolOrders.Memory(pool.Figures)),
                Words.Count(pool.Figures.Pages),
                Words.Ratio(pool.Figures.OriginalBytes, pool.Figures.CompressedBytes),
                PerSecond(change.Rate(pool, figures => figures.PutsStored)), PerSecond(change.Rate(pool, PoolOrders.Refused)),
                PerSecond(change.Rate(pool, figures => figures.Gets)),
                PerSecond(change.Rate(pool, figures => figures.Evictions)),
            ]));
    }

    private static void Write(TextWriter text, (string[] Head, IEnumerable<string[]> Rows) table) =>
        Table.Write(text, table.Head, table.Rows);

    private static string PerSecond(double? rate) =>
        rate is { } known ? known.ToString(known is > 0 and < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) : "-";

    private static string Time(double? seconds) => seconds switch
    {
        null => "-",
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0} us"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
    };
}
