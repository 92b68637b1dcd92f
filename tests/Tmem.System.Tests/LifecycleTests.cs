using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>What comes with a start goes with the stop, and what a region file holds comes back.</summary>
public class LifecycleTests
{
    [Fact]
    public void A_clean_stop_leaves_no_mount_no_process_and_no_socket()
    {
        var daemon = Daemon.Start("64M");
        using (daemon)
        {
            daemon.Pool("p");
            var running = MachineState.Of(daemon.Folder, 4);
            Assert.Equal([$"mount {daemon.Mount}", $"process {daemon.Id}", $"process {daemon.Worker}",
                $"process {daemon.Figure("processes.standbyPid")}"], running);
            daemon.Stop();
            Assert.False(File.Exists(daemon.Socket));
            Assert.Empty(MachineState.Of(daemon.Folder));
        }
        Assert.False(Directory.Exists(daemon.Folder));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void After_a_stop_another_daemon_starts_at_once_in_the_same_place(bool hasFile)
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        try
        {
            for (var round = 0; round < 5; round++)
            {
                using var daemon = Daemon.Start("64M", folder,
                    hasFile ? ["--region", Path.Combine(folder, "tmem.region")] : []);
                var file = Path.Combine(daemon.Pool("p"), "f");
                Bounded.Run(() => File.WriteAllBytes(file, new byte[1 << 20]));
                // Workers that have just given way, or were killed: they end beside those that serve.
                if (round % 2 == 1) daemon.Control("upgrade", "--threads", "2").Succeeds();
                if (round >= 3) Syscall.kill(daemon.Worker, Signum.SIGKILL);
                var stop = daemon.Control("stop", "--force", "--json").Succeeds();
                Assert.Empty(MachineState.Of(folder));
                Assert.False(File.Exists(daemon.Socket));
                Assert.Contains("\"ended\": true", stop.Output, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_stop_waits_for_the_end_as_long_as_it_is_told_to()
    {
        using (var daemon = Daemon.Start("64M"))
        {
            daemon.StopKeeper();
            var stop = daemon.Control("stop", "--force", "--timeout", "1.5");
            Assert.Equal((5, ""), (stop.Code, stop.Output));
            Assert.Contains("still ending after 1.5 s", stop.Errors, StringComparison.Ordinal);
            daemon.Continue();
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
        }
        using (var daemon = Daemon.Start("64M"))
        {
            daemon.StopKeeper();
            Assert.Contains("is ending", daemon.Control("stop", "--force", "--no-wait").Succeeds().Output,
                StringComparison.Ordinal);
            daemon.Continue();
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
        }
    }

    [Fact]
    public void A_stop_under_another_mount_names_what_covers_the_daemons_own()
    {
        using var daemon = Daemon.Start("64M");
        Command.Run("mount", "-t", "tmpfs", "over", daemon.Mount).Succeeds();
        try
        {
            var stop = daemon.Control("stop", "--force");
            Assert.Equal((1, $"tmemctl: tmemd goes on: {daemon.Mount} is covered: a tmpfs file system is mounted over it; "
                + $"unmount that first (umount {daemon.Mount}), and stop again\n"), (stop.Code, stop.Errors));
        }
        finally
        {
            Command.Run("umount", daemon.Mount).Succeeds();
        }
        daemon.Control("stop", "--force").Succeeds();
    }

    [Fact]
    public void A_keeper_that_dies_amid_the_stop_leaves_no_socket()
    {
        using var daemon = Daemon.Start("64M");
        var worker = daemon.Worker;
        daemon.StopKeeper();
        daemon.Control("stop", "--force", "--no-wait").Succeeds();
        Daemon.AwaitState(worker, 'Z');
        daemon.Signal(Signum.SIGKILL);
        daemon.AwaitNothing();
        Assert.False(File.Exists(daemon.Socket), daemon.Log);
    }

    [Fact]
    public void A_mount_point_behind_a_link_is_known_by_the_kernels_name()
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        var link = folder + ".link";
        Directory.CreateSymbolicLink(link, folder);
        try
        {
            using var daemon = Daemon.StartAt(Path.Combine(link, "mnt"), "64M", folder);
            Assert.Contains($"\"mountPoint\": \"{daemon.Mount}\"", daemon.Control("status", "--json").Output,
                StringComparison.Ordinal);
            daemon.Control("swap", "on", "--size", "16M").Succeeds();
            try
            {
                Assert.Contains("/dev/loop", daemon.Control("swap", "status").Succeeds().All, StringComparison.Ordinal);
                Assert.Contains("swap", daemon.Control("stop", "--force").All, StringComparison.Ordinal);
            }
            finally
            {
                daemon.Control("swap", "off").Succeeds();
            }
            daemon.Stop();
        }
        finally
        {
            File.Delete(link);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_log_that_cannot_be_written_stops_nothing()
    {
        using var daemon = Daemon.StartLoggingTo("/dev/full", "64M");
        var file = Path.Combine(daemon.Pool("p"), "file");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        Syscall.kill(daemon.Worker, Signum.SIGKILL);
        daemon.AwaitRestarts(1);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        daemon.Stop();
    }

    [Fact]
    public void An_open_file_holds_the_stop_up_with_a_reason()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "open");
        var descriptor = Bounded.Run(() => Files.Open(file, OpenFlags.O_CREAT | OpenFlags.O_RDWR, out _));
        try
        {
            var stop = daemon.Control("stop", "--force");
            Assert.Equal(1, stop.Code);
            Assert.Matches("busy|held|in use|open", stop.All);
            var destroy = daemon.Control("pool", "destroy", "--force", "p");
            Assert.Equal(1, destroy.Code);
            Assert.Contains("files of it are open: ", destroy.All, StringComparison.Ordinal);
            // Not first: a child that another test is just starting has the file open too, and may have a lower number.
            Assert.Contains($"{file} by process {Environment.ProcessId} (", destroy.All, StringComparison.Ordinal);
            Assert.True(daemon.IsAlive, daemon.Log);
        }
        finally
        {
            Bounded.Run(() => Files.Close(descriptor));
        }
        daemon.Stop();
    }

    [Fact]
    public void A_region_file_brings_everything_back()
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        try
        {
            var region = Path.Combine(folder, "tmem.region");
            var bytes = new byte[3_000_001];
            new Random(11).NextBytes(bytes.AsSpan(1_000_000));
            using (var daemon = Daemon.Start("64M", folder, "--region", region))
            {
                var pool = daemon.Pool("kept");
                Bounded.Run(() =>
                {
                    Directory.CreateDirectory(Path.Combine(pool, "a/b"));
                    File.WriteAllBytes(Path.Combine(pool, "a/b/data"), bytes);
                    File.CreateSymbolicLink(Path.Combine(pool, "link"), "a/b/data");
                    File.SetUnixFileMode(Path.Combine(pool, "a/b/data"),
                        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
                });
                daemon.Stop();
            }
            using (var daemon = Daemon.Start("64M", folder, "--region", region))
            {
                var pool = Path.Combine(daemon.Mount, "kept");
                Assert.True(Bounded.Run(() => File.ReadAllBytes(Path.Combine(pool, "link"))).AsSpan().SequenceEqual(bytes),
                    "contents differ");
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
                    Bounded.Run(() => File.GetUnixFileMode(Path.Combine(pool, "a/b/data"))));
                daemon.Control("pool", "show", "kept").Succeeds();
                daemon.Control("check").Succeeds();
                // What the first mount had looked up holds nothing here: a file deleted now is gone, and its memory with it.
                Bounded.Run(() => File.Delete(Path.Combine(pool, "a/b/data")));
                // The kernel closes and forgets later.
                for (var tries = 0; daemon.Figure("total.pages") != 0 && tries < 100; tries++) Thread.Sleep(50);
                Assert.Equal(0, daemon.Figure("total.pages"));
                daemon.Stop();
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Run from a process that holds the mount itself, "stop" releases it.</summary>
    [Theory]
    [InlineData("cd \"$0\" && exec \"$@\"")]
    [InlineData("exec 9<\"$0\" <\"$0/f\" && exec \"$@\"")]
    [InlineData("exec unshare -m \"$@\"")]
    public void Stop_is_not_in_its_own_way(string how)
    {
        using var daemon = Daemon.Start("64M");
        var pool = daemon.Pool("p");
        Bounded.Run(() => File.WriteAllText(Path.Combine(pool, "f"), "x"));
        Stop(daemon, how, pool).Succeeds();
        Assert.True(daemon.WaitForEnd(30), daemon.Log);
        Assert.Empty(MachineState.Of(daemon.Folder));
    }

    [Fact]
    public void A_stop_that_would_write_to_the_mount_says_so()
    {
        using var daemon = Daemon.Start("64M");
        var stop = Stop(daemon, "\"$@\" >\"$0/f\"", daemon.Pool("p"));
        Assert.Equal((1, "tmemctl: tmemd goes on: standard output of this command is a file on the mount; send it elsewhere, and "
            + "stop again\n"), (stop.Code, stop.Errors));
    }

    /// <summary>Stops a daemon from a shell: "$0" is a folder on the mount, "$@" the command.</summary>
    private static Outcome Stop(Daemon daemon, string how, string folder) =>
        Command.RunIn("/", 60, "bash", ["-c", how, folder, Built.Control, "--socket", daemon.Socket, "stop", "--force"]);
}
