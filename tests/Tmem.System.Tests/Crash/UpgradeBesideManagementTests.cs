using System.Diagnostics;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// An upgrade beside a call of the management API that takes longer than a worker waits for replies: the call is carried out and
/// answered.
/// </summary>
public class UpgradeBesideManagementTests
{
    [Fact]
    public async Task A_pool_that_is_being_destroyed_is_destroyed_before_another_worker_has_the_store()
    {
        Requires.Machine();
        Requires.Programs("chrt", "dd");
        using var daemon = Daemon.Start("512M");
        var pool = daemon.Pool("p");
        Command.Run("dd", "if=/dev/urandom", $"of={pool}/f", "bs=1M", "count=200", "status=none").Succeeds();
        var worker = daemon.Worker;

        // One call's thread gets only the processor time that no other wants, which is next to nothing.
        var before = Peers(worker);
        using var peer = new Conversation(daemon.Socket);
        peer.Ask("pool.list");
        var thread = Assert.Single(Peers(worker).Except(before));
        Command.Run("chrt", "--idle", "--pid", "0", thread).Succeeds();
        var busy = Enumerable.Range(0, 2 * Environment.ProcessorCount)
            .Select(_ => Process.Start("sh", ["-c", "while :; do :; done"])).ToList();
        try
        {
            var destroyed = Task.Run(() => peer.Ask("pool.destroy", """{"name":"p","force":true}"""));
            // A call that has not begun is refused, and rightly; one that has begun takes the name away first.
            Assert.True(SpinWait.SpinUntil(() => !HasPool(daemon), TimeSpan.FromSeconds(60)), "the removal does not begin");
            Assert.False(destroyed.IsCompleted);
            var upgraded = Task.Run(() => daemon.Control("upgrade"));
            // Longer than a worker that gives way waits for its replies.
            await Task.WhenAny(destroyed, Task.Delay(3500, TestContext.Current.CancellationToken));
            End(busy);
            Assert.Contains("\"result\"", await destroyed, StringComparison.Ordinal);
            (await upgraded).Succeeds();
        }
        finally
        {
            End(busy);
        }
        Assert.NotEqual(worker, daemon.Worker);
        Assert.Equal(0, daemon.Figure("total.pages"));
        Assert.Equal(0, daemon.Figure("processes.restarts"));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    /// <summary>Whatever is asked while one worker gives way to another, it is only a wait.</summary>
    [Fact]
    public async Task Nobody_is_refused_because_of_an_upgrade()
    {
        Requires.Machine();
        using var daemon = Daemon.Start("256M");
        var saved = Path.Combine(daemon.Folder, "saved");
        string[] pools = ["a", "b", "c", "d", "e", "f"];
        foreach (var pool in pools)
        {
            var folder = daemon.Pool(pool);
            Bounded.Run(() => File.WriteAllBytes(Path.Combine(folder, "f"), new byte[20_000]));
        }
        daemon.Control(["save", .. pools, saved]).Succeeds();
        using var over = new CancellationTokenSource();
        var upgrades = Task.Run(() =>
        {
            var done = 0;
            for (; !over.IsCancellationRequested; done++) daemon.Control("upgrade").Succeeds();
            return done;
        });
        for (var round = 0; round < 4; round++)
        {
            foreach (var pool in pools) daemon.Control("pool", "destroy", "--force", pool).Succeeds();
            daemon.Control("restore", saved).Succeeds();
            daemon.Control("pool", "set", "a", "--limit", "100M").Succeeds();
            Assert.Contains("\ntmem_up 1\n", daemon.Control("metrics").Succeeds().Output, StringComparison.Ordinal);
        }
        await over.CancelAsync();
        Assert.True(await upgrades > 0);
        Assert.Equal(0, daemon.Figure("processes.restarts"));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    private static bool HasPool(Daemon daemon)
    {
        using var peer = new Conversation(daemon.Socket);
        return peer.Ask("pool.list").Contains("\"p\"", StringComparison.Ordinal);
    }

    /// <summary>The threads of a worker that serve connections of the management API.</summary>
    private static string[] Peers(int worker) =>
    [
        .. Directory.GetDirectories($"/proc/{worker}/task")
            .Where(task => Comm(task).StartsWith("control peer", StringComparison.Ordinal))
                .Select(task => Path.GetFileName(task)!),
    ];

    private static string Comm(string task)
    {
        try
        {
            return File.ReadAllText(task + "/comm");
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return "";
        }
    }

    private static void End(List<Process> processes)
    {
        foreach (var process in processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        processes.Clear();
    }
}
