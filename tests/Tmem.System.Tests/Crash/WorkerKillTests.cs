using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>Workers are killed with SIGKILL under load; no client sees more than a pause.</summary>
public class WorkerKillTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public async Task Under_file_workloads_a_killed_worker_is_not_noticed()
    {
        Requires.Programs("fio");
        using var rig = new CrashRig(1024);
        var fio = Task.Run(() => Fio(rig));
        for (var kill = 0; kill < Extent.Kills || !fio.IsCompleted; kill++) rig.Killer.KillServing();
        (await fio).Succeeds();
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
        do
        {
            var workload = Task.Run(() => Workload.Run(Extent.IsSoak ? "1G" : "192M", Extent.IsSoak ? 256 * MiB : 64 * MiB, 900));
            for (; !workload.IsCompleted; kills++) rig.Killer.KillServing();
            var phases = Workload.Phases((await workload).Succeeds());
            Assert.Equal(["fill", "order", "random"], phases.Keys);
            Assert.All(phases.Values, phase => Assert.Equal(0, phase["wrongPages"]!.GetValue<long>()));
            Assert.True(phases["fill"]["swappedBytes"]!.GetValue<long>() > 32 * MiB, "the workload did not swap");
        }
        while (kills < Extent.Kills);
        rig.AllIsWell("swap");
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
    public void Each_death_is_told_with_its_cause()
    {
        using var daemon = Daemon.Start("64M");
        Syscall.kill(daemon.Worker, Signum.SIGUSR1);
        daemon.AwaitRestarts(1);
        Assert.Contains("killed by signal 10", daemon.Log, StringComparison.Ordinal);
        Assert.Contains("killed by signal 10", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        daemon.Stop();
    }

    private static Outcome Fio(CrashRig rig) => Command.RunFor(Extent.IsSoak ? 3600 : 120, "fio",
        "--name=verify", $"--filename={Path.Combine(rig.Daemon.Mount, "crash/fio")}", "--rw=randwrite", "--size=32m", "--bsrange=4k-128k", "--blockalign=4k",
        "--direct=1", "--ioengine=libaio", "--iodepth=8", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", $"--loops={(Extent.IsSoak ? 20 : 2)}",
        "--refill_buffers", "--buffer_compress_percentage=50", "--group_reporting", "--output-format=terse");
}
