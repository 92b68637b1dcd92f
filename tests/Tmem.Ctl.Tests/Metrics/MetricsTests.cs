using Tmem.Control.Messages;
using Tmem.Ctl.Metrics;
using Xunit;

namespace Tmem.Ctl.Tests.Metrics;

/// <summary><c>tmemctl metrics</c>: printed, and written to a file.</summary>
public sealed class MetricsTests : IDisposable
{
    private readonly FakeServer _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-metrics-").FullName;

    public void Dispose()
    {
        _server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void The_text_keeps_the_rules_of_the_format_and_has_every_metric()
    {
        _server.Pools.Add("p", "persistent");
        _server.Durability = new DurabilityFigures { Tracking = "hashes", Checkpoints = 3, LastFailed = true };
        var metrics = Exposition.Read(Ctl.Run(_server, "metrics").Output);
        Assert.Equal(MetricTable.All.Select(metric => (metric.Name, metric.Help)),
            metrics.Select(metric => (metric.Name, metric.Help)));
        // Without swap there are no devices; processes of a fake are none.
        Assert.All(metrics, metric => Assert.True(metric.Samples.Count > 0
            || metric.Name.StartsWith("tmem_swap_", StringComparison.Ordinal)
            || metric.Name.StartsWith("tmem_process_", StringComparison.Ordinal), metric.Name));
    }

    [Fact]
    public void Figures_are_the_daemons()
    {
        _server.Pools.Add("p", "ephemeral");
        var metrics = Exposition.Read(Ctl.Run(_server, "metrics").Output);
        double Value(string name, params string[] labels) => metrics.Single(metric => metric.Name == name).Samples
            .Single(sample => sample.Labels.Select(label => $"{label.Key}={label.Value}").SequenceEqual(labels)).Value;
        Assert.Equal(1, Value("tmem_up"));
        Assert.Equal(1, Value("tmem_build_info", "version=9.8.7", "revision=abc123"));
        Assert.Equal(2, Value("tmem_worker_restarts_total"));
        Assert.Equal(0, Value("tmem_daemon_revivals_total"));
        Assert.Equal(1 << 30, Value("tmem_capacity_bytes"));
        Assert.Equal(6, Value("tmem_puts_refused_total", "cause=no_room"));
        Assert.Equal(4, Value("tmem_pool_puts_refused_total", "pool=p", "cause=pool_limit"));
        Assert.Equal(1709000, Value("tmem_pool_memory_bytes", "pool=p"));
        Assert.Equal(1, Value("tmem_pool_info", "pool=p", "kind=ephemeral"));
        Assert.Equal(45, Value("tmem_gets_total", "outcome=hit"));
        // Nothing of a region's file, as there is none.
        Assert.Empty(metrics.Single(metric => metric.Name == "tmem_region_syncs_total").Samples);
    }

    [Fact]
    public void A_histogram_adds_up_its_buckets()
    {
        _server.Requests = [new RequestLatencies("read", 2_500_000_000, [3, 0, 5, 2])];
        var samples = Exposition.Read(Ctl.Run(_server, "metrics").Output)
            .Single(metric => metric.Type == "histogram").Samples;
        Assert.Equal([("1e-06", 3), ("2e-06", 3), ("4e-06", 8), ("+Inf", 10)],
            samples.Where(sample => sample.Labels.ContainsKey("le")).Select(sample => (sample.Labels["le"], sample.Value)));
        Assert.Equal((2.5, 10), (samples[^2].Value, samples[^1].Value));
    }

    [Theory]
    [InlineData("a\"b\\c", "tmem_pool_pages{pool=\"a\\\"b\\\\c\"} 1000")]
    [InlineData("ä ö}", "tmem_pool_pages{pool=\"ä ö}\"} 1000")]
    [InlineData("line\nbreak", "tmem_pool_pages{pool=\"line\\nbreak\"} 1000")]
    public void Names_are_escaped(string name, string line)
    {
        _server.Pools.Add(name, "persistent");
        var text = Ctl.Run(_server, "metrics").Output;
        Assert.Contains(line + "\n", text, StringComparison.Ordinal);
        Assert.Equal(name, Exposition.Read(text).Single(metric => metric.Name == "tmem_pool_pages").Samples[0].Labels["pool"]);
    }

    [Fact]
    public void Pools_whose_names_are_shown_alike_are_told_apart()
    {
        _server.Pools.Add("same", "persistent");
        _server.Twins = true;
        Assert.Equal([$"same ({FakeServer.IdOf("same")})", $"same ({FakeServer.IdOf("same") + 1})"],
            Exposition.Read(Ctl.Run(_server, "metrics").Output).Single(metric => metric.Name == "tmem_pool_pages").Samples
                .Select(sample => sample.Labels["pool"]));
    }

    [Fact]
    public void Swap_on_the_store_is_shown_with_its_pool()
    {
        _server.Pools.Add("swap", "persistent");
        var system = new FakeSwapSystem();
        Assert.Equal(ExitCode.Done, Ctl.Run(system, _server.SocketPath, "swap", "on", "--size", "64M").Code);
        var sample = Exposition.Read(Ctl.Run(system, _server.SocketPath, "metrics").Output)
            .Single(metric => metric.Name == "tmem_swap_size_bytes").Samples.Single();
        Assert.Equal("swap", sample.Labels["pool"]);
        Assert.True(sample.Value > 0);
    }

    [Fact]
    public void A_process_is_looked_at_from_outside()
    {
        var own = Snapshot.Look("worker", Environment.ProcessId)!;
        Assert.InRange(own.ResidentBytes, 1 << 20, 1L << 40);
        Assert.InRange(own.OwnBytes, 1 << 20, own.ResidentBytes);
        Assert.True(own.ProcessorSeconds > 0);
        Assert.Null(Snapshot.Look("worker", int.MaxValue));
    }

    [Fact]
    public void A_file_is_replaced_in_one_step_and_everybody_may_read_it()
    {
        var path = Path.Combine(_folder, "tmem.prom");
        File.WriteAllText(path, "old");
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
        using var reader = new StreamReader(path);
        var outcome = Ctl.Run(_server, "metrics", "--textfile", path);
        Assert.Equal((ExitCode.Done, "", ""), (outcome.Code, outcome.Output, outcome.Error));
        Assert.NotEmpty(Exposition.Read(File.ReadAllText(path)));
        Assert.Equal("old", reader.ReadToEnd());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
            File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Without_a_daemon_the_file_says_so()
    {
        var path = Path.Combine(_folder, "tmem.prom");
        File.WriteAllText(path, "tmem_capacity_bytes 1\n");
        var outcome = Ctl.Run(new FakeSwapSystem(), Path.Combine(_folder, "none"), "metrics", "--textfile", path);
        Assert.Equal(ExitCode.Unreachable, outcome.Code);
        var only = Exposition.Read(File.ReadAllText(path)).Single();
        Assert.Equal(("tmem_up", 0), (only.Name, only.Samples.Single().Value));
        outcome = Ctl.Run(new FakeSwapSystem(), Path.Combine(_folder, "none"), "metrics");
        Assert.Equal((ExitCode.Unreachable, ""), (outcome.Code, outcome.Output));
    }

    [Fact]
    public void A_daemon_that_refuses_to_tell_is_up()
    {
        var path = Path.Combine(_folder, "tmem.prom");
        _server.NotBegun = int.MaxValue;
        Assert.Equal(ExitCode.Failed, Ctl.Run(_server, "metrics", "--textfile", path, "--timeout", "2").Code);
        var only = Exposition.Read(File.ReadAllText(path)).Single();
        Assert.Equal(("tmem_up", 1), (only.Name, only.Samples.Single().Value));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_one_line_and_leaves_nothing()
    {
        var outcome = Ctl.Run(_server, "metrics", "--textfile", Path.Combine(_folder, "none", "tmem.prom"));
        Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Output));
        Assert.Equal($"tmemctl: {Path.Combine(_folder, "none", "tmem.prom")} cannot be written: its directory does not exist; "
            + "see to its directory, or name another file\n", outcome.Error);
        outcome = Ctl.Run(_server, "metrics", "--textfile", "/proc/tmem.prom");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.DoesNotContain("Could not", outcome.Error, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(_folder, "folder"));
        outcome = Ctl.Run(_server, "metrics", "--textfile", Path.Combine(_folder, "folder"));
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Empty(Directory.GetFiles(_folder));
    }
}
