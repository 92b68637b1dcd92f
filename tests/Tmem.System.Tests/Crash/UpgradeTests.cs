using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>A new worker takes over from one that serves; if it cannot, nothing has happened.</summary>
public class UpgradeTests
{
    [Fact]
    public async Task Under_file_and_swap_workloads_an_upgrade_is_not_noticed()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        using var rig = new CrashRig(1024);
        rig.Daemon.Control("swap", "on", "--size", "1G", "--priority", "32000").Succeeds();
        using var files = new FileWorkload(rig.Daemon);
        var stalls = new List<double>();
        do
        {
            var workload = Task.Run(Extent.RunSwapWorkload);
            while (!workload.IsCompleted && (Extent.IsSoak || stalls.Count < 6 * Extent.Upgrades))
            {
                Thread.Sleep(Extent.IsSoak ? 100 : 300);
                rig.Prober.TakeLongest();
                rig.Daemon.Control("upgrade", "--threads", stalls.Count % 2 == 0 ? "2" : "6").Succeeds();
                rig.Prober.AwaitRound();
                stalls.Add(rig.Prober.TakeLongest());
            }
            Assert.All(Workload.Phases((await workload).Succeeds()).Values,
                phase => Assert.Equal(0, phase["wrongPages"]!.GetValue<long>()));
        }
        while (stalls.Count < Extent.Upgrades);
        files.Finish();
        Assert.Equal(stalls.Count, rig.Daemon.Figure("processes.upgrades"));
        Assert.Equal(0, rig.Daemon.Figure("processes.restarts"));
        rig.AllIsWell("upgrades");
        rig.Judge("upgrades: stall at the client", stalls, Extent.MostMillisecondsOfUpgrade);
        rig.Daemon.Control("swap", "off").Succeeds();
        rig.Daemon.Stop();
    }

    [Fact]
    public void Settings_change_and_the_process_that_was_started_stays()
    {
        using var daemon = Daemon.Start("64M");
        var worker = daemon.Worker;
        daemon.Control("upgrade", "--threads", "7", "--spin", "0", "--log", "debug", "--codec", "zstd").Succeeds();
        Assert.Contains("new pages zstd", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        Assert.Equal(7, daemon.Figure("threads"));
        Assert.Equal(daemon.Id, daemon.Figure("pid"));
        Assert.NotEqual(worker, daemon.Worker);
        Assert.Equal(2, daemon.Control("upgrade", "--threads", "many").Code);
        Assert.Equal(2, daemon.Control("upgrade", "--threads", "65").Code);
        // A worker that dies now is replaced with the same settings.
        daemon.KillWorker();
        Assert.Equal(7, daemon.Figure("threads"));
        daemon.Stop();
    }

    [Fact]
    public void The_codec_of_new_pages_changes_and_the_old_ones_stay_readable()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        // Text of few letters at random: entropy coding shrinks it well, LZ4 hardly.
        var random = new Random(5);
        var bytes = new byte[256 * 4096];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)(97 + random.Next(8));
        Bounded.Run(() => File.WriteAllBytes(file, bytes));
        var before = daemon.Figure("total.compressedBytes");
        daemon.Control("upgrade", "--codec", "zstd").Succeeds();
        Assert.Equal(before, daemon.Figure("total.compressedBytes"));
        Assert.Equal(bytes, Bounded.Run(() => File.ReadAllBytes(file)));
        Bounded.Run(() => File.WriteAllBytes(file, bytes));
        Assert.InRange(daemon.Figure("total.compressedBytes"), 1, before * 3 / 4);
        daemon.Control("upgrade", "--codec", "pool").Succeeds();
        Assert.Equal(bytes, Bounded.Run(() => File.ReadAllBytes(file)));
        Bounded.Run(() => File.WriteAllBytes(file, bytes));
        Assert.Equal(before, daemon.Figure("total.compressedBytes"));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void The_peak_of_memory_is_the_daemons_and_not_a_workers()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        var bytes = new byte[16 << 20];
        new Random(5).NextBytes(bytes);
        Bounded.Run(() => File.WriteAllBytes(file, bytes));
        Bounded.Run(() => File.Delete(file));
        var peak = daemon.Figure("store.peakUsedBytes");
        Assert.InRange(peak, 16 << 20, 64 << 20);
        daemon.Control("upgrade", "--threads", "5").Succeeds();
        Assert.Equal(peak, daemon.Figure("store.peakUsedBytes"));
        daemon.KillWorker();
        Assert.Equal(peak, daemon.Figure("store.peakUsedBytes"));
        daemon.Stop();
    }

    [Fact]
    public void Another_program_takes_over_and_the_old_file_may_go()
    {
        using var daemon = Daemon.Start("64M");
        var copy = daemon.UpgradeToCopy();
        Assert.Equal(copy, daemon.Program);
        File.Delete(copy);
        daemon.KillWorker();
        Assert.Equal(copy, daemon.Program);
        daemon.Stop();
    }

    [Theory]
    [InlineData("#!/bin/sh\nexit 1\n", true, "/bad ended by itself, exit code 1 before it was ready: it is no tmemd")]
    [InlineData("#!/bin/sh\nexit 0\n", true, "/bad ended by itself, exit code 0 before it was ready: it is no tmemd")]
    [InlineData("#!/bin/sh\nkill -ABRT $$\n", true, "/bad was killed by SIGABRT before it was ready")]
    [InlineData("#!/bin/sh\nexit 1\n", false, "cannot be executed")]
    [InlineData("no program", true, "cannot be executed")]
    [InlineData(null, true, "No such file or directory")]
    public void A_program_that_does_not_get_ready_changes_nothing(string? program, bool executable, string why)
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Folder, "bad");
        if (program is not null) File.WriteAllText(file, program);
        if (program is not null && executable) Command.Run("chmod", "0755", file).Succeeds();
        var worker = daemon.Worker;
        var outcome = daemon.Control("upgrade", "--binary", file);
        Assert.Equal(1, outcome.Code);
        Assert.Contains(why, outcome.All, StringComparison.Ordinal);
        Assert.Equal(worker, daemon.Worker);
        Assert.Equal(0, daemon.Figure("processes.restarts"));
        // The next one works, with more threads than there were clones.
        daemon.Control("upgrade", "--threads", "8").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_program_that_dies_when_it_should_serve_gives_way_to_the_one_before()
    {
        Requires.Programs("python3");
        using var daemon = Daemon.Start("64M");
        var pool = daemon.Pool("p");
        Bounded.Run(() => File.WriteAllText(Path.Combine(pool, "f"), "here"));
        var file = Path.Combine(daemon.Folder, "fickle");
        // Says that it is ready (5), waits for its turn, and dies. The protocol of the line is in Keeper/Link.cs.
        File.WriteAllText(file,
            "#!/usr/bin/env python3\nimport os, socket\nline = socket.socket(fileno=int(os.environ['TMEMD_ROLE'].split()[2]))\n"
            + "line.send(bytes([5]))\nline.recv(1)\nos.kill(os.getpid(), 6)\n");
        Command.Run("chmod", "0755", file).Succeeds();
        var outcome = daemon.Control("upgrade", "--binary", file);
        Assert.Equal(1, outcome.Code);
        Assert.Contains($"{file} was killed by SIGABRT", outcome.All, StringComparison.Ordinal);
        Assert.Equal("here", Bounded.Run(() => File.ReadAllText(Path.Combine(pool, "f"))));
        Assert.Equal(0, daemon.Figure("processes.upgrades"));
        Assert.Equal(Built.Daemon, daemon.Program);
        daemon.Control("upgrade").Succeeds();
        daemon.Stop();
    }
}
