using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// The kernel remembers names, and with them we keep inodes and attributes: what the management removes is back when it is
/// removed, without anybody who drops the kernel's caches.
/// </summary>
public class ForgottenPoolTests
{
    private const int Files = 300;
    private const int AttributeBytes = 30_000;

    /// <summary>Empty spans that a store keeps, and rounding to spans; a third of what the attributes take.</summary>
    private const long Slack = 3 << 20;

    private static void Fill(string pool) => Bounded.Run(() =>
    {
        var value = new byte[AttributeBytes];
        Directory.CreateDirectory(pool + "/d/e");
        for (var i = 0; i < Files; i++)
        {
            var file = $"{pool}/d/{(i % 2 == 0 ? "e/" : "")}{i}";
            File.WriteAllText(file, "contents");
            new Random(i).NextBytes(value);
            Assert.Equal(0, Syscall.setxattr(file, "user.large", value));
        }
    });

    private static void AwaitBack(Daemon daemon, long before)
    {
        var used = 0L;
        Assert.True(SpinWait.SpinUntil(() => (used = daemon.Figure("store.usedBytes")) <= before + Slack,
            TimeSpan.FromSeconds(60)), $"{used - before} bytes are not back\n{daemon.Log}");
        daemon.Control("check").Succeeds();
    }

    private static long Full(Daemon daemon, long before)
    {
        var used = daemon.Figure("store.usedBytes");
        Assert.True(used > before + Files * AttributeBytes - Slack, "the attributes take no room");
        return used;
    }

    private static void Destroy(Daemon daemon, string pool)
    {
        // The kernel tells of the last close a moment after it.
        for (var tries = 0; daemon.Control("pool", "destroy", pool, "--force").Code != 0; tries++, Thread.Sleep(20))
            Assert.True(tries < 100);
    }

    [Theory]
    [InlineData("destroy")]
    [InlineData("empty")]
    [InlineData("refused restore")]
    [InlineData("killed worker")]
    public async Task What_a_pool_took_is_back(string way)
    {
        using var daemon = Daemon.Start("64M");
        daemon.Pool("other");
        var before = daemon.Figure("store.usedBytes");
        Fill(daemon.Pool("p"));
        Full(daemon, before);
        switch (way)
        {
            case "destroy":
                Destroy(daemon, "p");
                break;
            case "empty":
                for (var tries = 0; daemon.Control("pool", "empty", "p").Code != 0; tries++, Thread.Sleep(20))
                    Assert.True(tries < 100);
                break;
            case "refused restore":
                var stream = Path.Combine(daemon.Folder, "saved");
                daemon.Control("save", "p", stream).Succeeds();
                Destroy(daemon, "p");
                AwaitBack(daemon, before);
                var bytes = File.ReadAllBytes(stream);
                File.WriteAllBytes(stream, bytes[..^8]);
                for (var round = 0; round < 3; round++)
                    Assert.Contains("is cut short", daemon.Control("restore", stream).Errors, StringComparison.Ordinal);
                break;
            case "killed worker":
                var restarts = daemon.Figure("processes.restarts");
                var destroy = Task.Run(() => daemon.Control("pool", "destroy", "p", "--force"),
                    TestContext.Current.CancellationToken);
                await Task.Delay(15, TestContext.Current.CancellationToken);
                Syscall.kill(daemon.Worker, Signum.SIGKILL);
                daemon.AwaitRestarts(restarts + 1);
                await destroy;
                if (daemon.Control("pool", "show", "p").Code == 0) Destroy(daemon, "p");
                break;
        }
        AwaitBack(daemon, before);
        Assert.Equal(way == "empty" ? ["other", "p"] : ["other"],
            Bounded.Run(() => Directory.EnumerateDirectories(daemon.Mount).Select(Path.GetFileName).Order()));
        daemon.Stop();
    }

    [Fact]
    public void What_is_in_use_goes_with_its_last_use()
    {
        using var daemon = Daemon.Start("64M");
        var before = daemon.Figure("store.usedBytes");
        var pool = daemon.Pool("p");
        Fill(pool);
        var large = new byte[AttributeBytes];
        // As many attributes as a directory may have.
        for (var i = 0; Bounded.Run(() => Syscall.setxattr(pool + "/d/e", $"user.{i}", large)) == 0; i++) Assert.True(i < 10_000);
        var room = daemon.Figure("store.usedBytes");
        using var inside = global::System.Diagnostics.Process.Start(new global::System.Diagnostics.ProcessStartInfo("sh",
            ["-c", "cd \"$1/d/e\" && exec 5<. && echo there && read -r line", "sh", pool])
            { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Assert.Equal("there", inside.StandardOutput.ReadLine());
        Destroy(daemon, "p");
        AwaitBack(daemon, room - Files * AttributeBytes);
        inside.StandardInput.Close();
        Assert.True(inside.WaitForExit(20_000));
        AwaitBack(daemon, before);
        daemon.Stop();
    }

    /// <summary>
    /// Who works in a directory holds its lock while the kernel is to drop a name there: whoever waits for whom, all of it ends,
    /// also over the death of a worker.
    /// </summary>
    [Fact]
    public void Pools_go_while_processes_work_in_them_and_workers_die()
    {
        using var daemon = Daemon.Start("64M");
        for (var round = 0; round < 6; round++)
        {
            var pool = daemon.Pool("p");
            Bounded.Run(() => Directory.CreateDirectory(pool + "/d/e"));
            using var busy = global::System.Diagnostics.Process.Start(new global::System.Diagnostics.ProcessStartInfo("bash",
                ["-c", """
                    cd "$1/d" || exit 1
                    work() {
                        for i in $(seq 300); do
                            echo x >f$1; touch -d 2001-01-01 f$1; mkdir g$1; mv f$1 g$1/; ln g$1/f$1 h$1; rm h$1; rm -r g$1
                            mkdir "$2/q$1"; rmdir "$2/q$1"; ls "$2" >/dev/null; truncate -s 100000 e/t; rm e/t
                        done 2>/dev/null
                    }
                    work 1 "$2" & work 2 "$2" & work 3 "$2" & wait
                    """, "bash", pool, daemon.Mount]))!;
            Thread.Sleep(50);
            // Refused while a file is open, which is so most of the time.
            for (var tries = 0; tries < 30 && daemon.Control("pool", "destroy", "p", "--force").Code != 0; tries++) { }
            if (round % 2 == 1) daemon.KillWorker();
            Assert.True(busy.WaitForExit(60_000), "a process that worked in the pool hangs");
            if (daemon.Control("pool", "show", "p").Code == 0) Destroy(daemon, "p");
            daemon.Control("check").Succeeds();
        }
        daemon.Stop();
    }
}
