using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace Tmem.Ctl.Tests.Metrics;

/// <summary>A metric as it was read.</summary>
internal sealed record ReadMetric(string Name, string Type, string Help)
{
    public List<(string Name, Dictionary<string, string> Labels, double Value)> Samples { get; } = [];
}

/// <summary>
/// Reads Prometheus' text format 0.0.4 and holds it to its rules, and to those of <c>promtool check metrics</c>: every metric has
/// one HELP and one TYPE before its samples and stands in one piece, no series twice, names and labels of the allowed characters,
/// counters and no others end in _total, base units, buckets that rise to +Inf and end at the count.
/// </summary>
internal static partial class Exposition
{
    [GeneratedRegex("^[a-z_:][a-z0-9_:]*$")]
    private static partial Regex Name { get; }

    [GeneratedRegex("^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?<labels>[^\\n]*)\\})? (?<value>[^ ]+)$")]
    private static partial Regex SampleLine { get; }

    [GeneratedRegex("\\G(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=\"(?<value>(\\\\[\\\\\"n]|[^\\\\\"\\n])*)\"(,|$)")]
    private static partial Regex Label { get; }

    public static IReadOnlyList<ReadMetric> Read(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var metrics = new List<ReadMetric>();
        var series = new HashSet<string>();
        string? help = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                Assert.Null(help);
                help = line[7..];
                Assert.Contains(' ', help);
            }
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                var words = line[7..].Split(' ');
                Assert.Equal(2, words.Length);
                var (name, type) = (words[0], words[1]);
                Assert.StartsWith(name + " ", help, StringComparison.Ordinal);
                Assert.DoesNotContain(metrics, metric => metric.Name == name);
                metrics.Add(new ReadMetric(name, type, help![(name.Length + 1)..]));
                help = null;
            }
            else
            {
                Assert.Null(help);
                var match = SampleLine.Match(line);
                Assert.True(match.Success, line);
                var name = match.Groups["name"].Value;
                Assert.True(series.Add(line[..line.LastIndexOf(' ')]), line);
                var metric = metrics[^1];
                Assert.True(metric.Type == "histogram" ? name.StartsWith(metric.Name + "_", StringComparison.Ordinal)
                    && name[(metric.Name.Length + 1)..] is "bucket" or "sum" or "count" : name == metric.Name, line);
                metric.Samples.Add((name, Labels(match.Groups["labels"].Value),
                    double.Parse(match.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture)));
            }
        }
        Assert.Null(help);
        foreach (var metric in metrics) Check(metric);
        return metrics;
    }

    private static Dictionary<string, string> Labels(string text)
    {
        var labels = new Dictionary<string, string>();
        for (var at = 0; at < text.Length;)
        {
            var match = Label.Match(text, at);
            Assert.True(match.Success, text);
            labels.Add(match.Groups["name"].Value, match.Groups["value"].Value.Replace("\\n", "\n", StringComparison.Ordinal)
                .Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal));
            at += match.Length;
        }
        return labels;
    }

    private static void Check(ReadMetric metric)
    {
        Assert.Matches(Name, metric.Name);
        Assert.Contains(metric.Type, (string[])["gauge", "counter", "histogram"]);
        Assert.NotEmpty(metric.Help);
        Assert.Equal(metric.Type == "counter", metric.Name.EndsWith("_total", StringComparison.Ordinal));
        Assert.DoesNotMatch("(_bucket|_sum|_count)$", metric.Name);
        Assert.DoesNotMatch("(gauge|counter|histogram|summary)", metric.Name);
        Assert.DoesNotMatch("_(ms|us|ns|(milli|micro|nano)seconds|minutes|hours|days|[kmg]i?b|(kilo|mega)bytes|bits)(_|$)",
            metric.Name);
        Assert.All(metric.Samples, sample => Assert.True(metric.Type != "counter" || sample.Value >= 0, metric.Name));
        if (metric.Type != "histogram") return;
        foreach (var rows in metric.Samples.GroupBy(sample => string.Join(',', sample.Labels
            .Where(label => label.Key != "le").Select(label => $"{label.Key}={label.Value}"))))
        {
            var buckets = rows.Where(row => row.Name == metric.Name + "_bucket").ToList();
            var bounds = buckets.Select(bucket => bucket.Labels["le"] == "+Inf" ? double.PositiveInfinity
                : double.Parse(bucket.Labels["le"], NumberStyles.Float, CultureInfo.InvariantCulture)).ToList();
            Assert.Equal(bounds.Distinct().Order(), bounds);
            Assert.Equal(double.PositiveInfinity, bounds[^1]);
            var counts = buckets.Select(bucket => bucket.Value).ToList();
            Assert.Equal(counts.Order(), counts);
            Assert.Equal(counts[^1], rows.Single(row => row.Name == metric.Name + "_count").Value);
            Assert.Single(rows, row => row.Name == metric.Name + "_sum");
        }
    }
}
