namespace Tmem.Ctl.Metrics;

/// <summary>The types of Prometheus' text format that are used.</summary>
internal enum MetricType
{
    Gauge,
    Counter,
    Histogram,
}

/// <summary>A value with its labels.</summary>
/// <param name="Value">The value.</param>
/// <param name="Labels">Names and values.</param>
internal readonly record struct Sample(double Value, params (string Name, string Value)[] Labels);

/// <summary>The values of a histogram with one set of labels.</summary>
/// <param name="Label">Its label.</param>
/// <param name="Bounds">Upper bounds of all buckets but the last, which has none.</param>
/// <param name="Counts">Of each bucket alone.</param>
/// <param name="Sum">Of all values.</param>
internal sealed record Distribution((string Name, string Value) Label, IReadOnlyList<double> Bounds, IReadOnlyList<long> Counts,
    double Sum);

/// <summary>A metric: what it is, and how its values follow from a snapshot.</summary>
/// <param name="Name">By Prometheus' rules: base units, counters end in _total.</param>
/// <param name="Type">Its type.</param>
/// <param name="Help">What it says, in a sentence.</param>
/// <param name="Samples">Its values; none for a histogram.</param>
internal sealed record Metric(string Name, MetricType Type, string Help, Func<Snapshot, IEnumerable<Sample>> Samples)
{
    /// <summary>The values of a histogram; else null.</summary>
    public Func<Snapshot, IEnumerable<Distribution>>? Distributions { get; init; }

    /// <summary>The unit, as its name has it; "" for a plain number.</summary>
    public string Unit
    {
        get
        {
            var name = Name.EndsWith("_total", StringComparison.Ordinal) ? Name[..^"_total".Length] : Name;
            return name.EndsWith("_bytes", StringComparison.Ordinal) ? "bytes"
                : name.EndsWith("_seconds", StringComparison.Ordinal) ? "seconds" : "";
        }
    }
}
