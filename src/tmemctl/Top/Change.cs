using Tmem.Control.Messages;
using Tmem.Ctl.Metrics;

namespace Tmem.Ctl.Top;

/// <summary>What happened between two looks.</summary>
/// <param name="before">The earlier one; null at the first, and after the daemon was away.</param>
/// <param name="now">The later one.</param>
/// <param name="seconds">Between them.</param>
internal sealed class Change(Snapshot? before, Snapshot now, double seconds)
{
    private readonly Dictionary<uint, PoolReply> _pools = before?.Reply.Pools.ToDictionary(pool => pool.Id) ?? [];
    private readonly Dictionary<string, RequestLatencies> _requests =
        before?.Reply.Requests.ToDictionary(requests => requests.Kind) ?? [];
    private readonly Dictionary<int, DaemonProcess> _processes = before?.Processes.ToDictionary(process => process.Pid) ?? [];

    public Snapshot Now { get; } = now;

    /// <summary>A counter's rate; null if it is not known yet.</summary>
    public double? Rate(Func<PoolFigures, long> counter) =>
        before is null ? null : Risen(counter(before.Status.Total), counter(Now.Status.Total)) / seconds;

    /// <summary>The rate of a pool's counter; null if it is not known yet.</summary>
    public double? Rate(PoolReply pool, Func<PoolFigures, long> counter) =>
        _pools.TryGetValue(pool.Id, out var earlier) ? Risen(counter(earlier.Figures), counter(pool.Figures)) / seconds : null;

    /// <summary>A process's share of a processor; null if it is not known yet.</summary>
    public double? Load(DaemonProcess process) => _processes.TryGetValue(process.Pid, out var earlier)
        ? Math.Max(process.ProcessorSeconds - earlier.ProcessorSeconds, 0) / seconds : null;

    /// <summary>The requests of a kind between the two looks; all of them if there was no earlier look.</summary>
    public Latency Latency(RequestLatencies requests)
    {
        if (!_requests.TryGetValue(requests.Kind, out var earlier) || earlier.Counts.Count != requests.Counts.Count)
            return new Latency(requests.Counts, requests.Nanoseconds, null);
        // After a start anew all counts begin anew.
        var isNew = requests.Counts.Zip(earlier.Counts).Any(pair => pair.First < pair.Second);
        var counts = isNew ? requests.Counts : [.. requests.Counts.Zip(earlier.Counts, (later, first) => later - first)];
        return new Latency(counts, requests.Nanoseconds - (isNew ? 0 : earlier.Nanoseconds), seconds);
    }

    /// <summary>A counter that has fallen began anew.</summary>
    private static long Risen(long earlier, long later) => later < earlier ? later : later - earlier;
}

/// <summary>How long requests took.</summary>
/// <param name="Counts">Of each bucket.</param>
/// <param name="Nanoseconds">Of all.</param>
/// <param name="Seconds">In which they came; null: ever.</param>
internal readonly record struct Latency(IReadOnlyList<long> Counts, long Nanoseconds, double? Seconds)
{
    public long Requests => Counts.Sum();

    public double? Rate => Seconds is { } time ? Requests / time : null;

    /// <summary>In seconds; null without requests.</summary>
    public double? Mean => Requests == 0 ? null : Nanoseconds / 1e9 / Requests;

    /// <summary>The latency that a share of the requests did not exceed, in seconds, between the bounds of its bucket as
    /// Prometheus' histogram_quantile has it; null without requests.</summary>
    public double? Quantile(double share)
    {
        var bounds = MetricTable.Bounds(Counts.Count);
        var rank = share * Requests;
        long below = 0;
        for (var bucket = 0; bucket < Counts.Count; bucket++)
        {
            below += Counts[bucket];
            if (below < rank || Counts[bucket] == 0) continue;
            // Longer than the last bound: it says no more.
            if (bucket == bounds.Length) return bounds.LastOrDefault();
            var least = bucket == 0 ? 0 : bounds[bucket - 1];
            return least + (bounds[bucket] - least) * (rank - (below - Counts[bucket])) / Counts[bucket];
        }
        return null;
    }
}
