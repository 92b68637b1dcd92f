using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A keeper that was stopped (a debugger, a frozen group) and continues later: a caller that asked for an upgrade meanwhile is
/// told its outcome, all others are served, and nothing is lost.
/// </summary>
public class UpgradeBesideAStoppedKeeperTests
{
    [Fact]
    public async Task An_upgrade_waits_for_the_keeper_and_is_carried_out_when_it_goes_on()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "before"));
        var worker = daemon.Worker;
        daemon.StopKeeper();
        var upgrade = Task.Run(() => daemon.Control("upgrade", "--threads", "5"));
        AwaitUnderWay(daemon);
        Assert.False(upgrade.IsCompleted);
        Bounded.Run(() => File.WriteAllText(file, "meanwhile"));
        Assert.Equal((worker, 0L), (daemon.Worker, daemon.Figure("processes.upgrades")));
        daemon.Continue();
        (await upgrade).Succeeds();
        Assert.NotEqual(worker, daemon.Worker);
        Assert.Equal((5L, 1L), (daemon.Figure("threads"), daemon.Figure("processes.upgrades")));
        AssertSound(daemon, file, "meanwhile", restarts: 0);
    }

    [Fact]
    public async Task Whoever_hangs_up_before_the_keeper_goes_on_finds_in_the_status_what_came_of_it()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "here"));
        daemon.StopKeeper();
        var arguments = new[] { "--socket", daemon.Socket, "upgrade", "--threads", "5" };
        using (var client = Process.Start(new ProcessStartInfo(Built.Control, arguments))!)
        {
            AwaitUnderWay(daemon);
            client.Kill();
            await client.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        daemon.Continue();
        for (var tries = 0; daemon.Figure("processes.upgrades") == 0; tries++, Thread.Sleep(20)) Assert.InRange(tries, 0, 1000);
        Assert.Equal(5, daemon.Figure("threads"));
        AssertSound(daemon, file, "here", restarts: 0);
    }

    [Fact]
    public async Task A_worker_that_dies_meanwhile_is_replaced_and_the_answer_is_what_came_of_it()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "here"));
        daemon.AwaitAll();
        var worker = daemon.Worker;
        daemon.StopKeeper();
        var upgrade = Task.Run(() => daemon.Control("upgrade", "--threads", "5"));
        AwaitUnderWay(daemon);
        Syscall.kill(worker, Signum.SIGKILL);
        daemon.Continue();
        var outcome = await upgrade;
        daemon.AwaitRestarts(1);
        Assert.Equal("here", Bounded.Run(() => File.ReadAllText(file)));
        // If the upgrade was promised: a worker that reports success serves with what was asked for.
        if (outcome.Code == 0) Assert.Equal(5, daemon.Figure("threads"));
        AssertSound(daemon, file, "here", restarts: 1);
    }

    [Fact]
    public async Task Wherever_in_an_upgrade_the_keeper_stands_still_it_goes_on_from_there()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "here"));
        for (var delay = 0; delay < 120; delay += 15)
        {
            var upgrade = Task.Run(() => daemon.Control("upgrade", "--threads", delay % 2 == 0 ? "5" : "3"));
            Thread.Sleep(delay);
            daemon.StopKeeper();
            Thread.Sleep(300);
            daemon.Continue();
            (await upgrade).Succeeds();
        }
        Assert.Equal(8, daemon.Figure("processes.upgrades"));
        AssertSound(daemon, file, "here", restarts: 0);
    }

    /// <summary>A second one is refused by name while one is in progress.</summary>
    private static void AwaitUnderWay(Daemon daemon)
    {
        using var peer = new Conversation(daemon.Socket);
        for (var tries = 0; !IsUnderWay(); tries++, Thread.Sleep(20)) Assert.InRange(tries, 0, 500);

        bool IsUnderWay() => peer.Ask("sync").Contains("is under way", StringComparison.Ordinal);
    }

    private static void AssertSound(Daemon daemon, string file, string text, long restarts)
    {
        Assert.Equal(text, Bounded.Run(() => File.ReadAllText(file)));
        Assert.Equal(restarts, daemon.Figure("processes.restarts"));
        // The keeper is as ready as ever for the next upgrade, and the next death.
        daemon.Control("upgrade").Succeeds();
        daemon.KillWorker();
        Assert.Equal(text, Bounded.Run(() => File.ReadAllText(file)));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }
}
