using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>Workers are killed with SIGKILL under load; no client sees more than a pause.</summary>
public class WorkerKillTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void Under_file_workloads_a_killed_worker_is_not_noticed()
    {
        using var rig = new CrashRig(1024);
        using var files = new FileWorkload(rig.Daemon);
        for (var kill = 0; kill < Extent.Kills && !files.HasFailed; kill++) rig.Killer.KillServing();
        files.Finish();
        rig.AllIsWell("files");
        Assert.Equal(rig.Killer.Kills, rig.Daemon.Figure("processes.restarts"));
        rig.Daemon.Stop();
    }

    [Fact]
    public async Task Under_swap_a_killed_worker_is_not_noticed()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        using var rig = new CrashRig(1024);
        rig.Daemon.Control("swap", "on", "--size", "1G", "--priority", "32000").Succeeds();
        var kills = 0;
        do kills += await KillUnderSwap(rig);
        while (kills < Extent.Kills);
        rig.AllIsWell("swap");
        rig.Daemon.Control("swap", "off").Succeeds();
        rig.Daemon.Stop();
    }

    /// <summary>
    /// The workload's group is at its limit all the time; so is the daemon's: a twentieth more than it has needed, which the
    /// cache of a file takes. With less, a round that needs more than the one before has it killed as out of memory, and rightly
    /// so.
    /// </summary>
    [Fact]
    public async Task With_the_daemon_at_the_limit_of_its_own_group_a_killed_worker_is_not_noticed()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        using var group = new MemoryGroup(16L << 30);
        group.KeepOutOfSwap();
        using var rig = new CrashRig(1024, capacity => Daemon.StartIn(group, capacity));
        rig.Daemon.Control("swap", "on", "--size", "1G", "--priority", "32000").Succeeds();
        rig.Daemon.Control("upgrade").Succeeds();
        _ = await KillUnderSwap(rig);
        var slack = Math.Max(group.Peak / 20, 16 << 20);
        var limit = group.Peak + slack;
        group.Limit = limit;
        using (new CacheFiller(group, slack * 2))
        {
            var kills = 0;
            do kills += await KillUnderSwap(rig);
            while (kills < Extent.Kills);
        }
        Assert.InRange(group.Peak, limit - (1 << 20), limit);
        rig.AllIsWell($"at a limit of {limit >> 20} MiB");
        rig.Daemon.Control("swap", "off").Succeeds();
        rig.Daemon.Stop();
    }

    [Fact]
    public void Kills_during_the_start_cost_a_pause_and_nothing_else()
    {
        using var rig = new CrashRig();
        for (var kills = 0; kills < Extent.Kills; kills += 4) rig.Killer.KillStarting(4);
        rig.AllIsWell("starts");
        rig.Daemon.Stop();
    }

    [Fact]
    public void The_first_worker_may_die_before_it_has_made_the_store()
    {
        Requires.Machine();
        for (var delay = 0; delay < 60; delay += Extent.IsSoak ? 1 : 12)
        {
            using var daemon = Daemon.StartWith(founder =>
            {
                int? worker;
                while ((worker = Killer.Child(founder)) is null) Thread.Sleep(1);
                Thread.Sleep(delay);
                Syscall.kill(worker.Value, Signum.SIGKILL);
            });
            var pool = daemon.Pool("p");
            Bounded.Run(() => File.WriteAllText(Path.Combine(pool, "f"), "here"));
            daemon.Stop();
        }
    }

    [Fact]
    public void A_file_that_is_open_and_has_no_name_outlives_the_worker_and_goes_when_it_is_closed()
    {
        using var daemon = Daemon.Start("64M");
        var path = Path.Combine(daemon.Pool("p"), "nameless");
        var bytes = new byte[100_000];
        new Random(9).NextBytes(bytes);
        var descriptor = Bounded.Run(() => Files.Open(path, OpenFlags.O_CREAT | OpenFlags.O_RDWR, out _));
        Bounded.Run(() => Assert.Equal(0, (int)Files.Write(descriptor, bytes.AsSpan(0, 96 << 10))));
        Bounded.Run(() => File.Delete(path));
        for (var kill = 1; kill <= 2; kill++)
        {
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(kill);
            Assert.Equal(24, daemon.Figure("total.pages"));
        }
        Bounded.Run(() => Files.Close(descriptor));
        for (var tries = 0; daemon.Figure("total.pages") != 0 && tries < 100; tries++) Thread.Sleep(50);
        Assert.Equal(0, daemon.Figure("total.pages"));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    /// <summary>
    /// The kernel takes 10 ms or more to tear down the memory of such a store; the stand-by takes over before that.
    /// </summary>
    [Fact]
    public void Who_stands_by_takes_over_before_the_dead_workers_memory_is_gone()
    {
        using var daemon = Daemon.Start("512M");
        var path = Path.Combine(daemon.Pool("p"), "much");
        var bytes = new byte[1 << 20];
        new Random(7).NextBytes(bytes);
        Bounded.Run(() =>
        {
            using var file = File.Create(path);
            for (var mebibyte = 0; mebibyte < 300; mebibyte++) file.Write(bytes);
        });
        for (var kill = 1; kill <= 4; kill++)
        {
            for (var tries = 0; daemon.Figure("processes.standbyPid") == 0 && tries < 100; tries++) Thread.Sleep(50);
            // Whoever is there starts its runtime first.
            Thread.Sleep(500);
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(kill);
            Assert.Contains("killed by SIGKILL", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        }
        Assert.Contains("the one that stood by has taken over, restart ", daemon.Log, StringComparison.Ordinal);
        Bounded.Run(() => Assert.Equal(300 << 20, new FileInfo(path).Length));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void Each_death_is_told_with_its_cause()
    {
        using var daemon = Daemon.Start("64M");
        Syscall.kill(daemon.Worker, (Signum)31);
        daemon.AwaitRestarts(1);
        Assert.Contains("killed by signal 31", daemon.Log, StringComparison.Ordinal);
        Assert.Contains("killed by signal 31", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        daemon.Stop();
    }

    /// <summary>
    /// Kills workers as long as one run of the verified swap workload lasts, or a few times spread over a short one; returns the
    /// number of kills.
    /// </summary>
    private static async Task<int> KillUnderSwap(CrashRig rig)
    {
        var kills = 0;
        var workload = Task.Run(Extent.RunSwapWorkload);
        for (; !workload.IsCompleted && (Extent.IsSoak || kills < 3 * Extent.Kills); kills++)
        {
            rig.Killer.KillServing();
            if (!Extent.IsSoak) Thread.Sleep(200);
        }
        var phases = Workload.Phases((await workload).Succeeds());
        Assert.Equal(["fill", "order", "random"], phases.Keys);
        Assert.All(phases.Values, phase => Assert.Equal(0, phase["wrongPages"]!.GetValue<long>()));
        Assert.True(phases["fill"]["swappedBytes"]!.GetValue<long>() > 32 * MiB, "the workload did not swap");
        return kills;
    }

    [Fact]
    public void Workers_that_die_before_they_serve_come_ever_more_slowly_with_a_last_word_and_the_mount_is_held()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "held"));
        const string lastWord = "workers in a row died before they served";
        var ended = new HashSet<int>();
        for (var watch = Stopwatch.StartNew(); !daemon.Log.Contains(lastWord, StringComparison.Ordinal); Thread.Sleep(1))
        {
            Assert.True(watch.Elapsed.TotalSeconds < 60, daemon.Log);
            // As if it had died by itself: SIGKILL would count as somebody's.
            if (Killer.Child(daemon.Id) is { } worker && Syscall.kill(worker, Signum.SIGABRT) == 0) ended.Add(worker);
        }
        // Without a back-off it would have been hundreds a second.
        Assert.InRange(ended.Count, 8, 200);
        Assert.Contains($"tmemctl --socket {daemon.Socket} recover --mount {daemon.Mount}", daemon.Log, StringComparison.Ordinal);
        Assert.Equal("held", Bounded.Run(() => File.ReadAllText(file)));
        daemon.Stop();
    }
}
