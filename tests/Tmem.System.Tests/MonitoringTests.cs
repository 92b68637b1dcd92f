using System.Diagnostics;
using System.Globalization;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Figures of a daemon at work: as a monitor collects them, and as a person at a terminal sees them.</summary>
public class MonitoringTests
{
    [Fact]
    public void Latencies_are_counted_by_kind_and_outlive_a_worker()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() =>
        {
            using var stream = new FileStream(file, FileMode.CreateNew);
            stream.Write(new byte[1 << 20]);
            stream.Flush(flushToDisk: true);
        });
        Bounded.Run(() => File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch));
        var before = Counts(daemon);
        foreach (var kind in (string[])["write", "sync", "names", "attributes"])
            Assert.True(before[kind] > 0, $"{kind}: {before[kind]}");
        daemon.KillWorker();
        var after = Counts(daemon);
        foreach (var (kind, count) in before) Assert.True(after[kind] >= count, $"{kind}: {count}, then {after[kind]}");
        Assert.Contains("\ntmem_worker_restarts_total 1\n", daemon.Control("metrics").Succeeds().Output,
            StringComparison.Ordinal);
        daemon.Stop();
    }

    [Fact]
    public async Task A_server_tells_the_figures_and_that_the_daemon_is_gone()
    {
        using var daemon = Daemon.Start("64M");
        using var server = Process.Start(new ProcessStartInfo(Built.Control,
            ["--socket", daemon.Socket, "metrics", "--listen", "127.0.0.1:0"]) { RedirectStandardOutput = true })!;
        try
        {
            var place = new Uri((await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!);
            using var client = new HttpClient();
            Task<string> Get() => client.GetStringAsync(place, TestContext.Current.CancellationToken);
            Assert.Contains("\ntmem_capacity_bytes 67108864\n", await Get(), StringComparison.Ordinal);
            daemon.Stop();
            Assert.EndsWith("\ntmem_up 0\n", await Get(), StringComparison.Ordinal);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void The_live_view_gives_the_terminal_back_and_waits_for_a_daemon_that_is_away()
    {
        Requires.Programs("script");
        using var daemon = Daemon.Start("64M");
        daemon.Pool("a-pool");
        using var top = Process.Start(new ProcessStartInfo("script",
            ["-qec", $"stty rows 40 cols 120; {Built.Control} --socket {daemon.Socket} top", "/dev/null"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        var screen = new Collector(top.StandardOutput);
        void Await(string text)
        {
            for (var tries = 0; !screen.Text().Contains(text, StringComparison.Ordinal); tries++, Thread.Sleep(50))
                Assert.True(tries < 400, $"no '{text}' in\n{screen.Text()}");
        }
        Await("a-pool");
        Await("[MEMORY]");
        top.StandardInput.Write("\e[C");
        top.StandardInput.Flush();
        Await("[PAGES]");
        daemon.Stop();
        Await("WAITING FOR THE DAEMON");
        top.StandardInput.Write("q");
        top.StandardInput.Flush();
        Assert.True(top.WaitForExit(20_000), screen.Text());
        Assert.Equal(0, top.ExitCode);
        Assert.Contains("\e[?1049l", screen.Text(), StringComparison.Ordinal);
    }

    private static Dictionary<string, long> Counts(Daemon daemon)
    {
        const string start = "tmem_request_duration_seconds_count{kind=\"";
        return daemon.Control("metrics").Succeeds().Output.Split('\n')
            .Where(line => line.StartsWith(start, StringComparison.Ordinal))
            .Select(line => line[start.Length..].Split("\"} "))
            .ToDictionary(row => row[0], row => long.Parse(row[1], CultureInfo.InvariantCulture));
    }
}
