using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Tmem.Ctl.Metrics;
using Xunit;

namespace Tmem.Ctl.Tests.Metrics;

/// <summary>
/// The table of docs/monitoring.md, the dashboard and the alert rules name what there is; and promtool finds nothing in the text
/// and the rules, where there is a promtool.
/// </summary>
public sealed partial class MonitoringFilesTests
{
    [GeneratedRegex("tmem_[a-z_]+")]
    private static partial Regex MetricName { get; }

    /// <summary>Alerts have names of another form, so every such word is a metric.</summary>
    private static readonly HashSet<string> s_series = [.. MetricTable.All.SelectMany(SeriesOf)];

    private static string[] SeriesOf(Metric metric) => metric.Type == MetricType.Histogram
        ? [metric.Name + "_bucket", metric.Name + "_sum", metric.Name + "_count"] : [metric.Name];

    private static string Of(string file) => Path.Combine(AppContext.BaseDirectory, "monitoring", file);

    [Fact]
    public void The_document_has_every_metric_with_its_type_unit_and_meaning()
    {
        var rows = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "documents", "monitoring.md"))
            .Where(line => line.StartsWith("| `tmem_", StringComparison.Ordinal));
        Assert.Equal(MetricTable.All.Select(metric =>
            $"| `{metric.Name}` | {metric.Type.ToString().ToLowerInvariant()} | {metric.Unit} | {metric.Help} |"), rows);
    }

    [Theory]
    [InlineData("tmem.json")]
    [InlineData("tmem.rules.yml")]
    public void Every_metric_that_is_named_exists(string file)
    {
        var named = MetricName.Matches(File.ReadAllText(Of(file))).Select(match => match.Value).Distinct().ToList();
        Assert.True(named.Count > 5);
        Assert.All(named, name => Assert.Contains(name, s_series));
    }

    [Fact]
    public void Panels_of_the_dashboard_have_titles_places_and_queries()
    {
        var dashboard = JsonNode.Parse(File.ReadAllText(Of("tmem.json")))!;
        var panels = dashboard["panels"]!.AsArray();
        Assert.NotEmpty(panels);
        Assert.Equal(panels.Count, panels.Select(panel => panel!["id"]!.GetValue<int>()).Distinct().Count());
        Assert.All(panels, panel =>
        {
            Assert.NotEmpty(panel!["title"]!.GetValue<string>());
            Assert.NotEmpty(panel["targets"]!.AsArray());
            Assert.InRange(panel["gridPos"]!["x"]!.GetValue<int>() + panel["gridPos"]!["w"]!.GetValue<int>(), 1, 24);
            Assert.All(panel["targets"]!.AsArray(), target => Assert.Matches(MetricName, target!["expr"]!.GetValue<string>()));
        });
    }

    [Fact]
    public void Promtool_finds_no_fault_in_the_rules_and_they_fire_when_they_should()
    {
        Succeeds("check", "rules", Of("tmem.rules.yml"));
        Succeeds("test", "rules", Of("tmem.rules.test.yml"));
    }

    [Fact]
    public void Promtool_finds_no_fault_in_the_text()
    {
        using var server = new FakeServer();
        server.Pools.Add("a \"b\" \\c", "ephemeral");
        server.Durability = new() { Tracking = "hashes" };
        Run(Ctl.Run(server, "metrics").Output, "check", "metrics");
    }

    private static void Succeeds(params string[] arguments) => Run("", arguments);

    private static void Run(string input, params string[] arguments)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(f => File.Exists(Path.Combine(f, "promtool"))))
            Assert.Skip("no promtool on this machine");
        using var promtool = Process.Start(new ProcessStartInfo("promtool", arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var (output, error) = (promtool.StandardOutput.ReadToEndAsync(), promtool.StandardError.ReadToEndAsync());
        promtool.StandardInput.Write(input);
        promtool.StandardInput.Close();
        promtool.WaitForExit();
        // "check metrics" complains with exit code 3, and on standard error.
        Assert.True(promtool.ExitCode == 0, output.Result + error.Result);
    }
}
