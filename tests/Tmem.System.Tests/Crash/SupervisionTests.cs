using System.Globalization;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A service manager keeps what must outlive all processes of a daemon, keeper and worker, and starts it again: nobody notices
/// that they died. The service manager is a small one (Programs/supervisor.py) that speaks systemd's protocol.
/// </summary>
public class SupervisionTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void Under_file_workloads_nobody_notices_that_all_processes_were_killed()
    {
        using var rig = new CrashRig(1024, capacity => Supervised(capacity));
        using var files = new FileWorkload(rig.Daemon);
        for (var kill = 0; kill < Extent.Kills && !files.HasFailed; kill++) rig.Killer.KillAll();
        files.Finish();
        rig.AllIsWell("all at once, files");
        AssertRevived(rig);
        rig.Daemon.Stop();
    }

    [Fact]
    public async Task Under_swap_nobody_notices_that_all_processes_were_killed()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        using var rig = new CrashRig(1024, capacity => Supervised(capacity));
        rig.Daemon.Control("swap", "on", "--size", "1G", "--priority", "32000").Succeeds();
        do
        {
            var workload = Task.Run(Extent.RunSwapWorkload);
            while (!workload.IsCompleted && (Extent.IsSoak || rig.Killer.Kills < 3 * Extent.Kills)) rig.Killer.KillAll();
            var phases = Workload.Phases((await workload).Succeeds());
            Assert.All(phases.Values, phase => Assert.Equal(0, phase["wrongPages"]!.GetValue<long>()));
            Assert.True(phases["fill"]["swappedBytes"]!.GetValue<long>() > 32 * MiB, "the workload did not swap");
        }
        while (rig.Killer.Kills < Extent.Kills);
        rig.AllIsWell("all at once, swap");
        AssertRevived(rig);
        rig.Daemon.Control("swap", "off").Succeeds();
        rig.Daemon.Stop();
    }

    [Fact]
    public void It_is_told_what_it_asks_and_nothing_is_left_with_it_after_a_stop()
    {
        using var daemon = Supervised("64M");
        Await(daemon, "READY=1 STATUS=serving ");
        daemon.KillWorker();
        Await(daemon, "restarts: 1, upgrades: 0");
        _ = daemon.UpgradeToCopy();
        Await(daemon, "restarts: 1, upgrades: 1");
        daemon.Stop();
        Assert.Contains("STOPPING=1", daemon.Output, StringComparison.Ordinal);
        Assert.Contains("end 0 with nothing", daemon.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void After_an_upgrade_it_is_the_new_program_that_goes_on()
    {
        using var daemon = Supervised("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        var copy = daemon.UpgradeToCopy();
        daemon.Control("upgrade", "--threads", "7").Succeeds();
        KillAll(daemon, 1);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        Assert.Equal(copy, daemon.Program);
        Assert.Equal(7, daemon.Figure("threads"));
        Assert.Equal(1, daemon.Figure("processes.revivals"));
        Assert.Contains("1 restart, 1 of them by the supervisor after all processes had died, 2 upgrades",
            daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        daemon.Stop();
    }

    [Fact]
    public void A_keeper_that_a_worker_has_started_is_the_main_process_from_then_on()
    {
        using var daemon = Supervised("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        var keeper = daemon.Keeper;
        Syscall.kill(keeper, Signum.SIGKILL);
        for (var tries = 0; daemon.Keeper == 0 || daemon.Keeper == keeper; tries++, Thread.Sleep(50))
            Assert.True(tries < 200, daemon.Log);
        Await(daemon, $"MAINPID={daemon.Keeper}");
        KillAll(daemon, 1);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        daemon.Stop();
        Assert.Contains("end 0 with nothing", daemon.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_socket_made_anew_is_the_one_that_is_kept()
    {
        using var daemon = Supervised("64M");
        var keeper = daemon.Keeper;
        File.Delete(daemon.Socket);
        Syscall.kill(keeper, Signum.SIGHUP);
        for (var tries = 0; !File.Exists(daemon.Socket); tries++, Thread.Sleep(20)) Assert.True(tries < 500, daemon.Log);
        daemon.Control("status").Succeeds();
        KillAll(daemon, 1);
        daemon.Stop();
    }

    [Fact]
    public void What_a_dying_worker_has_said_is_in_the_log()
    {
        using var daemon = Supervised("64M");
        KillAll(daemon, 1);
        Assert.Contains("all processes of the daemon are dead", daemon.Log, StringComparison.Ordinal);
        // A worker killed beside its keeper: nobody knows how it died, and no request is held against it.
        Assert.DoesNotContain("answered EIO", daemon.Log, StringComparison.Ordinal);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_region_file_stays_locked_and_true()
    {
        var folder = Daemon.NewFolder();
        try
        {
            var region = Path.Combine(folder, "region");
            using (var daemon = Supervised("64M", "--region", region))
            {
                var file = Path.Combine(daemon.Pool("p"), "f");
                Bounded.Run(() => File.WriteAllText(file, "kept"));
                KillAll(daemon, 1);
                Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
                daemon.Stop();
            }
            using var later = Daemon.Start("64M", null, "--region", region);
            Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(Path.Combine(later.Mount, "p", "f"))));
            later.Stop();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A supervisor starts a service that failed again: what was missing or wrong then is so still.</summary>
    [Theory]
    [InlineData("WITHHELD", "The supervisor has not kept {0}, without which", "tmem-region")]
    [InlineData("WITHHELD", "The supervisor has not kept {0}, without which", "tmem-region-file")]
    [InlineData("WITHHELD", "The supervisor has not kept {0}, without which", "tmem-buffers")]
    [InlineData("WITHHELD", "The supervisor has not kept {0}, without which", "tmem-device-0")]
    [InlineData("WITHHELD", "The supervisor has not kept {0}, without which", "tmem-device-1")]
    [InlineData("REPLACED", "What the supervisor has kept as {0} is not what", "tmem-region")]
    [InlineData("REPLACED", "What the supervisor has kept as {0} is not what", "tmem-region-file")]
    [InlineData("REPLACED", "What the supervisor has kept as {0} is not what", "tmem-buffers")]
    public void What_is_missing_or_wrong_is_refused_at_each_start_and_costs_nothing(string how, string why, string name)
    {
        var folder = Daemon.NewFolder();
        try
        {
            using var daemon = Supervised("64M", $"{how}={name}", "--region", Path.Combine(folder, "region"));
            var file = Path.Combine(daemon.Pool("p"), "f");
            Bounded.Run(() => File.WriteAllText(file, "kept"));
            daemon.AwaitAll();
            daemon.KillAll();
            daemon.AwaitRestarts(1);
            Assert.Contains("start 4 with", daemon.Output, StringComparison.Ordinal);
            Assert.Equal(2, daemon.Log.Split(string.Format(CultureInfo.InvariantCulture, why, name)).Length - 1);
            Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
            Assert.Equal(1, daemon.Figure("processes.revivals"));
            daemon.Control("check").Succeeds();
            daemon.Stop();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// A supervisor that looks at its main process alone: the dead keeper's. The worker has just started another one, which is
    /// held here until the daemon was started again and serves.
    /// </summary>
    [Fact]
    public void A_keeper_that_comes_too_late_ends_and_touches_nothing()
    {
        using var daemon = Supervised("64M", "MAIN_ONLY=1");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        if (daemon.AwaitAll() is not [var keeper, var worker, var standby]) throw new InvalidOperationException();
        Syscall.kill(keeper, Signum.SIGKILL);
        var adopter = 0;
        while (adopter == 0) adopter = ChildOf(worker);
        Syscall.kill(adopter, Signum.SIGSTOP);
        foreach (var process in (int[])[worker, standby]) Syscall.kill(process, Signum.SIGKILL);
        // Unless it was stopped too late, and counts among those whose end is waited for.
        var isRevived = SpinWait.SpinUntil(() => daemon.Log.Contains("are dead", StringComparison.Ordinal), 10_000);
        if (isRevived) daemon.AwaitRestarts(1);
        Syscall.kill(adopter, Signum.SIGCONT);
        if (isRevived) Daemon.AwaitState(adopter, 'Z');
        daemon.AwaitRestarts(1);
        Assert.NotEqual(adopter, isRevived ? daemon.Keeper : 0);
        daemon.KillWorker();
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        Assert.DoesNotContain("cannot be started", daemon.Log, StringComparison.Ordinal);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_worker_that_hangs_is_replaced()
    {
        using var daemon = Supervised("64M", "WATCHDOG_USEC=3000000");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        Await(daemon, "WATCHDOG=1");
        var worker = daemon.Worker;
        // It has shown that it lives.
        Thread.Sleep(2000);
        Syscall.kill(worker, Signum.SIGSTOP);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        daemon.AwaitRestarts(1);
        Assert.Contains($"worker {worker} has taken no request for ", daemon.Log, StringComparison.Ordinal);
        Assert.NotEqual(worker, daemon.Worker);
        daemon.Stop();
    }

    /// <summary>A worker that serves for longer than the watchdog waits, idle and busy, is left alone.</summary>
    [Fact]
    public void A_worker_that_does_not_hang_is_not_replaced()
    {
        using var daemon = Supervised("64M", "WATCHDOG_USEC=3000000");
        var file = Path.Combine(daemon.Pool("p"), "f");
        for (var until = Environment.TickCount64 + 3500; Environment.TickCount64 < until;)
            Bounded.Run(() => File.WriteAllText(file, "kept"));
        Thread.Sleep(3500);
        Assert.Equal(0, daemon.Figure("processes.restarts"));
        daemon.Stop();
    }

    /// <summary>
    /// A supervisor that connects the log to the journal says so by the stream's identity; here it is a pipe, as the journal's is
    /// a socket.
    /// </summary>
    [Fact]
    public void In_the_journal_a_line_has_its_priority_and_no_time_of_its_own()
    {
        using var daemon = Daemon.StartBy("JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec \"$@\"");
        daemon.KillWorker();
        daemon.Stop();
        var lines = daemon.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.Matches("^<[3467]>[^ ]", line));
        Assert.Contains(lines, line => line.StartsWith("<6>serving ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("<4>worker ", StringComparison.Ordinal));
    }

    private static void AssertRevived(CrashRig rig)
    {
        Assert.Equal(rig.Killer.Kills, rig.Daemon.Output.Split("with tmem-buffers ").Length - 1);
        Assert.Equal(0, rig.Daemon.Figure("processes.keeperAllocatedBytes"));
    }

    private static Daemon Supervised(string capacity, params string[] more)
    {
        Requires.Programs("python3");
        var environment = string.Join(' ', more.Where(word => !word.StartsWith('/') && word.Contains('=')));
        var arguments = string.Join(' ', more.Where(word => word.StartsWith('/') || !word.Contains('=')));
        var supervisor = Path.Combine(AppContext.BaseDirectory, "Programs", "supervisor.py");
        return Daemon.StartBy($"{environment} exec python3 {supervisor} \"$@\" {arguments}", capacity);
    }

    private static void KillAll(Daemon daemon, long restarts)
    {
        daemon.AwaitAll();
        daemon.KillAll();
        daemon.AwaitRestarts(restarts);
    }

    /// <summary>The process that one has started; 0 if none.</summary>
    private static int ChildOf(int process)
    {
        foreach (var task in Directory.GetDirectories($"/proc/{process}/task"))
            if (File.ReadAllText(task + "/children") is { Length: > 0 } children)
                return int.Parse(children.Split(' ')[0], CultureInfo.InvariantCulture);
        return 0;
    }

    private static void Await(Daemon daemon, string words)
    {
        for (var tries = 0; !daemon.Output.Contains(words, StringComparison.Ordinal); tries++, Thread.Sleep(20))
            Assert.True(tries < 500, $"the supervisor was not told '{words}' but\n{daemon.Output}\n{daemon.Log}");
    }
}
