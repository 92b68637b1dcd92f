using System.Globalization;
using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Metrics;

/// <summary>A swap device on the store.</summary>
/// <param name="Device">"/dev/loop3".</param>
/// <param name="Pool">Its pool's name; "" if that is not known.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="UsedBytes">Of it swapped to.</param>
internal sealed record SwapDevice(string Device, string Pool, long SizeBytes, long UsedBytes);

/// <summary>A process of the daemon, as /proc shows it to everybody: what is read here, the daemon need not tell.</summary>
/// <param name="Role">"keeper", "worker" or "standby".</param>
/// <param name="Pid">Its number.</param>
/// <param name="ResidentBytes">Real memory, shared memory that it has mapped included.</param>
/// <param name="LockedBytes">Of its mappings, locked ones; memory of them that nothing was written to yet included.</param>
/// <param name="OwnBytes">Real memory of its own, which is no mapped file and no shared memory.</param>
/// <param name="ProcessorSeconds">Processor time.</param>
internal sealed record DaemonProcess(string Role, int Pid, long ResidentBytes, long LockedBytes, long OwnBytes,
    double ProcessorSeconds);

/// <summary>All that is shown and collected, as of one moment.</summary>
internal sealed record Snapshot(MetricsReply Reply, IReadOnlyList<SwapDevice> Swap, IReadOnlyList<DaemonProcess> Processes)
{
    public StatusReply Status => Reply.Status;

    /// <summary>The pools' names, of which those that are shown alike have their numbers too.</summary>
    public IReadOnlyList<string> Names => field ??= NamesOf(Reply.Pools);

    /// <summary>Asks the daemon, and looks at the machine; its refusal, or its silence, is the reply's.</summary>
    public static Snapshot? Take(ControlClient client, ISwapSystem system, out Reply<MetricsReply> reply)
    {
        reply = client.Metrics();
        return reply.Value is { } value ? new Snapshot(value, SwapOf(value, system), ProcessesOf(value.Status.Processes)) : null;
    }

    private static List<string> NamesOf(IReadOnlyList<PoolReply> pools)
    {
        var alike = pools.CountBy(pool => pool.Name).Where(name => name.Value > 1).Select(name => name.Key).ToHashSet();
        return [.. pools.Select(pool => alike.Contains(pool.Name) ? $"{pool.Name} ({pool.Id})" : pool.Name)];
    }

    private static List<SwapDevice> SwapOf(MetricsReply reply, ISwapSystem system)
    {
        var swaps = system.Swaps();
        // Mostly there is none, and a look at every loop device saved.
        if (swaps.Count == 0) return [];
        return
        [
            .. from loop in system.Loops()
               where loop.File is { } file && file.IsOn(reply.Status.Connection)
               orderby loop.Offset
               from entry in swaps
               where entry.Device == loop.Device
               group entry by (loop.File, Pool: PoolOf(loop.Note, reply)) into parts
               select new SwapDevice(parts.First().Device, parts.Key.Pool, parts.Sum(part => part.SizeBytes),
                   parts.Sum(part => part.UsedBytes)),
        ];
    }

    private static string PoolOf(string note, MetricsReply reply) => SwapMark.TryRead(note, out var mark)
        ? reply.Pools.FirstOrDefault(pool => pool.Id == mark.Pool)?.Name ?? "" : "";

    private static List<DaemonProcess> ProcessesOf(ProcessFigures processes)
    {
        var found = new List<DaemonProcess>();
        foreach (var (role, pid) in (ReadOnlySpan<(string, int)>)[("keeper", processes.KeeperPid),
            ("worker", processes.WorkerPid), ("standby", processes.StandbyPid)])
            if (pid != 0 && Look(role, pid) is { } process) found.Add(process);
        return found;
    }

    /// <summary>A process; null if it is gone, or another namespace's.</summary>
    public static DaemonProcess? Look(string role, int pid)
    {
        if (KernelFile.TryRead($"/proc/{pid}/status") is not { } status
            || KernelFile.TryRead($"/proc/{pid}/stat") is not { } stat) return null;
        // A name in parentheses stands before the figures, and may have any character in it.
        var figures = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const int userTime = 11, systemTime = 12; // utime, stime of proc(5), counted from the state
        const double ticks = 100; // USER_HZ, the same on every architecture that .NET runs on
        if (figures.Length <= systemTime) return null;
        return new DaemonProcess(role, pid, Kibibytes(status, "VmRSS:"), Kibibytes(status, "VmLck:"),
            Kibibytes(status, "RssAnon:"), (Number(figures[userTime]) + Number(figures[systemTime])) / ticks);
    }

    private static long Kibibytes(string status, string name)
    {
        foreach (var line in status.Split('\n'))
            if (line.StartsWith(name, StringComparison.Ordinal)) return Number(line.AsSpan(name.Length).Trim(" \tkB")) << 10;
        return 0;
    }

    private static long Number(ReadOnlySpan<char> text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
