using System.Globalization;
using System.Text;

namespace Tmem.Ctl.Metrics;

/// <summary>
/// Prometheus' text format 0.0.4. A library was considered (prometheus-net): it keeps a registry of values that a program counts
/// itself, and here all are counted elsewhere; the format is these lines.
/// </summary>
internal static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private const double LargestWhole = 1e15; // beyond it the form with an exponent is used

    /// <summary>All metrics of a snapshot.</summary>
    public static string Of(Snapshot now)
    {
        var text = new StringBuilder();
        foreach (var metric in MetricTable.All) Append(text, metric, now);
        return text.ToString();
    }

    /// <summary>What there is without a snapshot.</summary>
    /// <param name="isUp">Whether the daemon has answered, with a refusal.</param>
    public static string OfNone(bool isUp)
    {
        var text = new StringBuilder();
        AppendHead(text, MetricTable.Up, MetricTable.UpHelp, MetricType.Gauge);
        AppendLine(text, MetricTable.Up, [], isUp ? 1 : 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Metric metric, Snapshot now)
    {
        AppendHead(text, metric.Name, metric.Help, metric.Type);
        foreach (var sample in metric.Samples(now)) AppendLine(text, metric.Name, sample.Labels, sample.Value);
        foreach (var distribution in metric.Distributions?.Invoke(now) ?? []) Append(text, metric.Name, distribution);
    }

    private static void Append(StringBuilder text, string name, Distribution distribution)
    {
        long below = 0;
        for (var bucket = 0; bucket < distribution.Counts.Count; bucket++)
        {
            below += distribution.Counts[bucket];
            var bound = bucket < distribution.Bounds.Count ? Number(distribution.Bounds[bucket]) : "+Inf";
            AppendLine(text, name + "_bucket", [distribution.Label, ("le", bound)], below);
        }
        AppendLine(text, name + "_sum", [distribution.Label], distribution.Sum);
        AppendLine(text, name + "_count", [distribution.Label], below);
    }

    private static void AppendHead(StringBuilder text, string name, string help, MetricType type)
    {
        var kind = type switch { MetricType.Counter => "counter", MetricType.Gauge => "gauge", _ => "histogram" };
        text.Append("# HELP ").Append(name).Append(' ').Append(Escaped(help, quotes: false)).Append('\n');
        text.Append("# TYPE ").Append(name).Append(' ').Append(kind).Append('\n');
    }

    private static void AppendLine(StringBuilder text, string name, (string Name, string Value)[] labels, double value)
    {
        text.Append(name);
        for (var i = 0; i < labels.Length; i++)
            text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"").Append(Escaped(labels[i].Value, quotes: true))
                .Append('"');
        if (labels.Length > 0) text.Append('}');
        text.Append(' ');
        // Nearly all are whole, and there may be tens of thousands.
        if (value == (long)value && Math.Abs(value) < LargestWhole) text.Append(CultureInfo.InvariantCulture, $"{(long)value}");
        else text.Append(Number(value));
        text.Append('\n');
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');

    private static string Escaped(string text, bool quotes)
    {
        if (text.AsSpan().IndexOfAny('\\', '\n', '"') < 0) return text;
        text = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? text.Replace("\"", "\\\"", StringComparison.Ordinal) : text;
    }
}
