using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Swap, and every other holder of the mount, is found wherever it is, by identity and not by name.</summary>
public class SwapPlaceTests
{
    [Fact]
    public void Swap_turned_on_in_a_mount_namespace_that_is_gone_is_found()
    {
        using var daemon = StartForSwap();
        Command.Run("unshare", "--mount", "--propagation", "private", Built.Control, "--socket", daemon.Socket, "swap", "on",
            "--size", "16M", "--priority", "1").Succeeds();
        AssertOnAndKept(daemon);
        Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
        daemon.Stop();
    }

    [Fact]
    public void Swap_on_that_its_terminal_leaves_is_on_or_undone()
    {
        using var daemon = StartForSwap();
        var random = new Random(9);
        for (var tries = 0; tries < 20; tries++)
        {
            using var on = Process.Start(new ProcessStartInfo(Built.Control)
            {
                ArgumentList = { "--socket", daemon.Socket, "swap", "on", "--size", "16M", "--priority", "1" },
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            })!;
            Thread.Sleep(random.Next(100));
            Syscall.kill(on.Id, Signum.SIGHUP);
            Assert.True(on.WaitForExit(30_000));
            daemon.Control("swap", "off").Succeeds();
            Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
        }
        daemon.Stop();
    }

    /// <summary>
    /// Killed at random moments, in turn before the next "swap on" and before a "swap off", in a pool of its own and in one that
    /// was there.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Swap_on_that_is_killed_is_done_over_by_the_next_and_removed_by_swap_off(bool kept)
    {
        using var daemon = StartForSwap();
        string[] on = ["--socket", daemon.Socket, "swap", "on", "--size", "16M", "--priority", "1", "--pool", "s"];
        string[] stays = kept ? [daemon.Pool("s")] : [];
        if (kept) Command.Run("chmod", "700", stays[0]).Succeeds();
        var random = new Random(11);
        for (var tries = 0; tries < 30; tries++)
        {
            using (var killed = Process.Start(new ProcessStartInfo(Built.Control, on)
            {
                RedirectStandardError = true, RedirectStandardOutput = true,
            })!)
            {
                Thread.Sleep(random.Next(60));
                killed.Kill();
                Assert.True(killed.WaitForExit(30_000));
            }
            if (tries % 2 == 0)
            {
                var next = Command.Run(Built.Control, on);
                Assert.True(next.Code == 0 || next.Errors.Contains("swap is on already", StringComparison.Ordinal), next.Errors);
            }
            daemon.Control("swap", "off").Succeeds();
            Assert.Equal(stays, Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
            if (kept) Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(stays[0])));
        }
        daemon.Stop();
    }

    [Fact]
    public void Swap_on_a_file_that_was_renamed_or_removed_is_found()
    {
        using var daemon = StartForSwap();
        daemon.Control("swap", "on", "--size", "16M", "--priority", "1").Succeeds();
        var file = Path.Combine(daemon.Mount, "swap/swapfile");
        Bounded.Run(() => File.Move(file, Path.Combine(daemon.Mount, "swap/another")));
        AssertOnAndKept(daemon);
        Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
        daemon.Control("swap", "on", "--size", "16M", "--priority", "1").Succeeds();
        Bounded.Run(() => File.Delete(file));
        AssertOnAndKept(daemon);
        daemon.Stop();
    }

    [Fact]
    public void A_stop_beside_another_mount_of_it_is_refused_and_names_that()
    {
        using var daemon = Daemon.Start("64M");
        var other = Directory.CreateDirectory(Path.Combine(daemon.Folder, "other")).FullName;
        Command.Run("mount", "--bind", daemon.Mount, other).Succeeds();
        try
        {
            AssertKept(daemon, $"the mount on {other}");
        }
        finally
        {
            Command.Run("umount", other);
        }
        Command.Run("mount", "--make-private", daemon.Mount).Succeeds();
        using (var holder = Elsewhere("private"))
        {
            AssertKept(daemon, $"seen by process {holder.Id} (sleep)");
            holder.Kill();
            holder.WaitForExit();
        }
        daemon.Stop();
    }

    [Fact]
    public void A_namespace_that_receives_the_unmounting_is_no_hindrance()
    {
        // A shared tree, like that of a machine with systemd.
        Requires.Machine();
        var folder = Daemon.NewFolder();
        Command.Run("mount", "--bind", folder, folder).Succeeds();
        try
        {
            Command.Run("mount", "--make-shared", folder).Succeeds();
            using var daemon = Daemon.Start("64M", folder);
            using var service = Elsewhere("slave");
            daemon.Stop();
            service.Kill();
            service.WaitForExit();
        }
        finally
        {
            Command.Run("umount", "--lazy", folder);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_pool_of_a_users_gets_no_swap_file_and_what_he_plants_hinders_nobody()
    {
        using var daemon = StartForSwap();
        var theirs = daemon.Pool("theirs");
        Bounded.Run(() => File.WriteAllText(Path.Combine(theirs, "swapfile"), "bait"));
        Assert.Equal(0, Bounded.Run(() =>
            Syscall.setxattr(Path.Combine(theirs, "swapfile"), "user.tmemctl.swap", "pool made"u8.ToArray())));
        Command.Run("chown", "-R", "1000", theirs).Succeeds();
        var refused = daemon.Control("swap", "on", "--size", "16M", "--priority", "1", "--pool", "theirs");
        Assert.Equal(1, refused.Code);
        Assert.Contains("belongs to user 1000", refused.Errors, StringComparison.Ordinal);
        daemon.Control("swap", "on", "--size", "16M", "--priority", "1").Succeeds();
        Assert.Equal("700 0", Command.Run("stat", "--format", "%a %u", Path.Combine(daemon.Mount, "swap")).Succeeds()
            .Output.Trim());
        Assert.Equal("600 0", Command.Run("stat", "--format", "%a %u", Path.Combine(daemon.Mount, "swap/swapfile")).Succeeds()
            .Output.Trim());
        daemon.Control("swap", "off").Succeeds();
        Assert.Equal("bait", Bounded.Run(() => File.ReadAllText(Path.Combine(theirs, "swapfile"))));
        daemon.Stop();
    }

    [Fact]
    public void After_an_unclean_end_swap_on_takes_over_the_file_that_the_region_brought_back()
    {
        Requires.Machine();
        Requires.Swap();
        var folder = Daemon.NewFolder();
        var region = Path.Combine(folder, "region");
        using (var daemon = Daemon.Start("64M", folder, "--region", region))
        {
            daemon.Control("swap", "on", "--size", "16M", "--priority", "1").Succeeds();
            var pool = daemon.Pool("p");
            Command.Run("sh", "-c", $"echo kept > {pool}/f && sync {pool}/f").Succeeds();
            daemon.KillBoth();
            Command.RunFor(60, Built.Control, "--socket", daemon.Socket, "recover", "--mount", daemon.Mount).Succeeds();
        }
        using (var daemon = Daemon.Start("64M", folder, "--region", region))
        {
            Assert.True(Bounded.Run(() => File.Exists(Path.Combine(daemon.Mount, "swap/swapfile"))),
                "the region kept no swap file: nothing is shown");
            var on = daemon.Control("swap", "on", "--size", "16M", "--priority", "1").Succeeds();
            Assert.Contains("took away what an earlier swap had left", on.Output, StringComparison.Ordinal);
            daemon.Control("swap", "off").Succeeds();
            Assert.Equal([Path.Combine(daemon.Mount, "p")], Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
            daemon.Stop();
        }
        Directory.Delete(folder, recursive: true);
    }

    private static Daemon StartForSwap()
    {
        Requires.Machine();
        Requires.Swap();
        return Daemon.Start("64M");
    }

    /// <summary>The swap device is shown, stop and signal are refused, and swap off tears all of it down.</summary>
    private static void AssertOnAndKept(Daemon daemon)
    {
        Assert.Contains("/dev/loop", daemon.Control("swap", "status").Succeeds().Output, StringComparison.Ordinal);
        AssertKept(daemon, "/dev/loop");
        daemon.Signal(Signum.SIGTERM);
        Assert.False(daemon.WaitForEnd(4), $"SIGTERM ended the daemon under its swap device\n{daemon.Log}");
        var loops = MachineState.Loops().Length;
        daemon.Control("swap", "off").Succeeds();
        Assert.Equal(loops - 1, MachineState.Loops().Length);
        Assert.Contains("swap is off: nothing on", daemon.Control("swap", "status").Succeeds().Output,
            StringComparison.Ordinal);
    }

    private static void AssertKept(Daemon daemon, string holder)
    {
        var stop = daemon.Control("stop", "--force");
        Assert.Equal(1, stop.Code);
        Assert.Contains(holder, stop.Errors, StringComparison.Ordinal);
        Assert.True(MachineState.IsMounted(daemon.Mount), "it was unmounted");
        daemon.Control("status").Succeeds();
    }

    private static Process Elsewhere(string propagation)
    {
        var info = new ProcessStartInfo("unshare") { RedirectStandardOutput = true };
        foreach (var word in (string[])["--mount", "--propagation", propagation, "sh", "-c",
            "echo there; exec sleep 60"]) info.ArgumentList.Add(word);
        var process = Process.Start(info)!;
        Assert.Equal("there", process.StandardOutput.ReadLine());
        for (var tries = 0; File.ReadAllText($"/proc/{process.Id}/comm").Trim() != "sleep"
            && tries < 200; tries++) Thread.Sleep(10);
        return process;
    }
}
