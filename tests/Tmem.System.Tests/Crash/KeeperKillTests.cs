using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>The keeper dies; then, later, the worker; or both at once.</summary>
public partial class KeeperKillTests
{
    [Fact]
    public void A_worker_replaces_its_dead_keeper_and_the_new_one_replaces_workers()
    {
        using var rig = new CrashRig();
        var daemon = rig.Daemon;
        for (var round = 1; round <= 2; round++)
        {
            var keeper = (int)daemon.Figure("processes.keeperPid");
            var worker = daemon.Worker;
            Syscall.kill(keeper, Signum.SIGKILL);
            daemon.Control("adopt").Succeeds();
            Assert.NotEqual(keeper, daemon.Figure("processes.keeperPid"));
            Assert.Equal(worker, daemon.Worker);
            Syscall.kill(worker, Signum.SIGKILL);
            daemon.AwaitRestarts(round);
            rig.Prober.AwaitRound();
            daemon.Control("upgrade", "--threads", $"{4 + round}").Succeeds();
        }
        rig.AllIsWell("keeper");
        daemon.Control("stop", "--force").Succeeds();
        daemon.AwaitNothing();
        Assert.False(File.Exists(daemon.Socket));
    }

    /// <summary>Its time of service is the worker's, and does not restart with a new keeper.</summary>
    [Fact]
    public void A_worker_that_outlived_its_keeper_had_served_as_long_as_it_had()
    {
        using var daemon = Daemon.Start("64M");
        var served = Stopwatch.StartNew();
        Thread.Sleep(1500);
        Syscall.kill((int)daemon.Figure("processes.keeperPid"), Signum.SIGKILL);
        var least = served.Elapsed;
        daemon.Control("adopt").Succeeds();
        Syscall.kill(daemon.Worker, Signum.SIGABRT);
        daemon.AwaitRestarts(1);
        var told = Served().Match(daemon.Control("status").Succeeds().Output).Groups[1].Value;
        Assert.True(double.Parse(told, CultureInfo.InvariantCulture) >= least.TotalSeconds - 0.1, $"{told} s, and {least} were");
        daemon.Control("stop", "--force").Succeeds();
        daemon.AwaitNothing();
    }

    [GeneratedRegex("last death .* after serving ([0-9.]+) s")]
    private static partial Regex Served();

    [Fact]
    public void When_both_are_dead_recover_takes_away_what_the_kernel_holds_and_says_what_was_lost()
    {
        Requires.Machine();
        Requires.Swap();
        using var bystander = Daemon.Start("64M");
        using var daemon = Daemon.Start("64M");
        daemon.Pool("p");
        daemon.Control("swap", "on", "--size", "64M", "--priority", "1").Succeeds();
        daemon.KillBoth();

        var outcome = Recover(daemon);
        Assert.True(outcome.Code == 0, $"{outcome.All}\n{daemon.Log}");
        Assert.Contains("turned swap on /dev/loop", outcome.Output, StringComparison.Ordinal);
        Assert.Contains($"unmounted {daemon.Mount}", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("lost: ", outcome.Output, StringComparison.Ordinal);
        Assert.Empty(MachineState.Of(daemon.Folder));
        Assert.False(File.Exists(daemon.Socket));
        // Of this mount; another test's may be dead just now, and is listed.
        Assert.DoesNotContain(daemon.Mount, Command.RunFor(60, Built.Control, "--socket", daemon.Socket, "recover").All,
            StringComparison.Ordinal);

        Assert.Contains("not touched", Recover(bystander).Output, StringComparison.Ordinal);
        bystander.Pool("still");
        bystander.Stop();
    }

    private static Outcome Recover(Daemon daemon) =>
        Command.RunFor(60, Built.Control, "--socket", daemon.Socket, "recover", "--mount", daemon.Mount);
}
