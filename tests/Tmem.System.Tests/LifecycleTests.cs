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
                // Workers that gave way, or were killed, just before: they end beside those that serve.
                if (round % 2 == 1) daemon.Control("upgrade", "--threads", "2").Succeeds();
                if (round >= 3) Syscall.kill(daemon.Worker, Signum.SIGKILL);
                var stop = daemon.Control("stop", "--json").Succeeds();
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
            var stop = daemon.Control("stop", "--timeout", "1.5");
            Assert.Equal((5, ""), (stop.Code, stop.Output));
            Assert.Contains("still ending after 1.5 s", stop.Errors, StringComparison.Ordinal);
            daemon.Continue();
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
        }
        using (var daemon = Daemon.Start("64M"))
        {
            daemon.StopKeeper();
            Assert.Contains("is ending", daemon.Control("stop", "--no-wait").Succeeds().Output, StringComparison.Ordinal);
            daemon.Continue();
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
        }
    }

    [Fact]
    public void A_keeper_that_dies_amid_the_stop_leaves_no_socket()
    {
        using var daemon = Daemon.Start("64M");
        var worker = daemon.Worker;
        daemon.StopKeeper();
        daemon.Control("stop", "--no-wait").Succeeds();
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
                Assert.Contains("swap", daemon.Control("stop").All, StringComparison.Ordinal);
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
            var stop = daemon.Control("stop");
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
                // The kernel closes and forgets in its own time.
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

    [Fact]
    public void Scripts_up_and_down_leave_nothing()
    {
        Requires.Machine();
        Requires.Swap();
        if (!File.Exists(Path.Combine(Built.Repository, "scripts/up"))) Assert.Skip("scripts/up is not there");
        var folder = Daemon.NewFolder();
        (string, string)[] settings =
        [
            ("TMEM_MOUNT", Path.Combine(folder, "mnt")), ("TMEM_CAPACITY", "128M"),
            ("TMEM_SOCKET", Path.Combine(folder, "run/sock")), ("TMEM_OUT", Built.Folder),
        ];
        try
        {
            // Its output is read to the end: up must not leave its daemon holding our pipe.
            var up = Script("up", 300, settings, "--no-swap").Succeeds();
            Assert.Contains("swap is off", up.Output, StringComparison.Ordinal);
            Assert.Contains(Path.Combine(folder, "mnt"), up.Output, StringComparison.Ordinal);
            var withoutSwap = MachineState.Of(folder, 4);
            Assert.Equal(["mount", "process", "process", "process"], withoutSwap.Select(l => l.Split(' ')[0]));
            var on = Script("up", 60, settings, "--swap-size", "20M", "--swap-priority=7").Succeeds();
            Assert.Contains("20.0 MiB, priority 7, file", on.Output, StringComparison.Ordinal);
            var running = MachineState.Of(folder, 6);
            Assert.Equal(["mount", "loop", "swap", "process", "process", "process"], running.Select(l => l.Split(' ')[0]));
            // A second call finds it up and changes nothing.
            Script("up", 60, settings).Succeeds();
            Assert.Equal(running, MachineState.Of(folder));
        }
        finally
        {
            Script("down", 120, settings).Succeeds();
        }
        Assert.Empty(MachineState.Of(folder));
        Assert.Empty(Directory.GetFiles(folder, "*", SearchOption.AllDirectories));
        // With nothing up, down has nothing to do and says so.
        Script("down", 60, settings).Succeeds();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("TMEM_MOUNT", "other")]
    [InlineData("TMEM_CAPACITY", "65M")]
    [InlineData("TMEM_ARGUMENTS", "--region /var/lib/tmem.region")]
    public void Scripts_up_refuses_settings_that_are_not_those_of_what_is_up(string name, string value)
    {
        Up((folder, settings) =>
        {
            settings = [.. settings, ("TMEM_ARGUMENTS", "--threads 2")];
            Script("up", 60, settings, "--no-swap").Succeeds();
            Script("up", 60, settings, "--no-swap").Succeeds();
            if (name == "TMEM_MOUNT") value = Path.Combine(folder, value);
            var other = Script("up", 60, [.. settings, (name, value)], "--no-swap");
            Assert.Equal((1, ""), (other.Code, other.Output));
            Assert.Contains(value, other.Errors, StringComparison.Ordinal);
            // What it says stops this daemon does so. The tests' own root needs no sudo.
            var stop = other.Errors[(other.Errors.IndexOf("sudo ", StringComparison.Ordinal) + 5)..].TrimEnd();
            Command.RunIn(Built.Repository, 60, "sh", ["-c", $"exec env {stop}"]).Succeeds();
            Assert.Empty(MachineState.Of(folder));
        });
    }

    /// <summary>Run where it holds the mount itself, "stop" lets go of it.</summary>
    [Theory]
    [InlineData("cd \"$0\" && exec \"$@\"")]
    [InlineData("exec 9<\"$0\" <\"$0/f\" && exec \"$@\"")]
    [InlineData("exec unshare -m \"$@\"")]
    public void Stop_is_not_in_its_own_way(string how)
    {
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            var pool = Path.Combine(folder, "mnt/p");
            Bounded.Run(() => Directory.CreateDirectory(pool));
            Bounded.Run(() => File.WriteAllText(Path.Combine(pool, "f"), "x"));
            Command.RunIn("/", 60, "bash", ["-c", how, pool, Path.Combine(Built.Folder, "tmemctl"), "--socket",
                Path.Combine(folder, "run/sock"), "stop"]).Succeeds();
            Assert.Empty(MachineState.Of(folder));
        });
    }

    [Fact]
    public void A_stop_that_would_write_to_the_mount_says_so()
    {
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            var pool = Path.Combine(folder, "mnt/p");
            Bounded.Run(() => Directory.CreateDirectory(pool));
            var stop = Command.RunIn("/", 60, "bash", ["-c", "\"$@\" >\"$0/f\"", pool, Path.Combine(Built.Folder, "tmemctl"),
                "--socket", Path.Combine(folder, "run/sock"), "stop"]);
            Assert.Equal((1, "tmemctl: tmemd goes on: standard output of this command is a file on the mount; send it elsewhere, "
                + "and stop again\n"), (stop.Code, stop.Errors));
        });
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("b", "a")]
    public void Scripts_down_of_one_daemon_leaves_another_with_its_socket_beside_it_alone(string first, string second)
    {
        Up((folder, _) =>
        {
            var run = Path.Combine(folder, "run");
            Script("up", 60, Of("a"), "--no-swap").Succeeds();
            Script("up", 60, Of("b"), "--no-swap").Succeeds();
            Assert.Equal(["a.log", "a.made", "a.sock", "b.log", "b.made", "b.sock"], Names(run));
            Script("down", 60, Of(first)).Succeeds();
            Assert.Equal([$"{second}.log", $"{second}.made", $"{second}.sock"], Names(run));
            Script("down", 60, Of(second)).Succeeds();
            // The directory that both were in as well, whoever of them made it.
            Assert.Empty(Directory.GetFileSystemEntries(folder));

            (string, string)[] Of(string name) =>
            [
                ("TMEM_MOUNT", Path.Combine(folder, "mnt", name)), ("TMEM_CAPACITY", "64M"),
                ("TMEM_SOCKET", Path.Combine(run, name + ".sock")), ("TMEM_OUT", Built.Folder),
            ];
        });

        static IEnumerable<string?> Names(string folder) => Directory.GetFiles(folder).Select(Path.GetFileName).Order();
    }

    [Fact]
    public void Scripts_say_their_name_once()
    {
        Assert.Equal((2, "scripts/up: --swap-size needs a value; see scripts/up --help\n"), Misused("up", "--swap-size"));
        Assert.Equal((2, "scripts/bench: codec: --runs needs a value; see scripts/bench --help\n"),
            Misused("bench", "codec", "--runs"));

        static (int, string) Misused(string name, params string[] arguments)
        {
            var outcome = Script(name, 60, [], arguments);
            return (outcome.Code, outcome.Errors);
        }
    }

    [Fact]
    public void Scripts_up_shows_the_warnings_of_its_own_start_alone()
    {
        Up((folder, settings) =>
        {
            var mount = Directory.CreateDirectory(Path.Combine(folder, "mnt")).FullName;
            File.WriteAllText(Path.Combine(mount, "hidden"), "");
            var log = Path.Combine(folder, "log");
            File.WriteAllText(log, "2020-01-01T00:00:00.000Z warning of an earlier start\n");
            var up = Script("up", 60, [.. settings, ("TMEM_LOG", log)], "--no-swap").Succeeds();
            Assert.Contains($"warning  {mount} is not empty", up.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("earlier", up.All, StringComparison.Ordinal);
            Script("down", 60, [.. settings, ("TMEM_LOG", log)]).Succeeds();
            File.Delete(Path.Combine(mount, "hidden"));
        });
    }

    [Fact]
    public void When_scripts_up_fails_the_reason_stands_last_and_once()
    {
        Up((folder, settings) =>
        {
            var up = Script("up", 60, [.. settings, ("TMEM_ARGUMENTS", $"--region {folder}/none/region")], "--no-swap");
            Assert.Equal(1, up.Code);
            Assert.Matches("tmemd ended before it served: .*/none/region", up.Errors.TrimEnd('\n').Split('\n')[^1]);
            Assert.Equal(2, up.Errors.Split("/none/region").Length);
        });
    }

    [Fact]
    public void Scripts_down_says_what_a_refusal_leaves_and_is_no_holder_itself()
    {
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            var file = Path.Combine(folder, "mnt/p/open");
            Bounded.Run(() => Directory.CreateDirectory(Path.GetDirectoryName(file)!));
            var busy = Command.RunIn(Built.Repository, 60, "bash",
                ["-c", "echo holder $$; exec 9>\"$0\" <\"$0\"; scripts/down; echo code $?", file], settings);
            Assert.Contains("code 1", busy.Output, StringComparison.Ordinal);
            var holder = busy.Output.Split('\n')[0]["holder ".Length..];
            Assert.Contains($"held by process {holder} (bash);", busy.Errors, StringComparison.Ordinal);
            Assert.Matches("swap is off; .*scripts/up turns it on again", busy.Errors);
        });
    }

    [Fact]
    public void Scripts_know_a_daemon_whose_socket_is_gone()
    {
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            var socket = Path.Combine(folder, "run/sock");
            var keeper = MachineState.Of(folder, 4).First(line => line.StartsWith("process", StringComparison.Ordinal))[8..];
            // Under another name, and not removed: whoever looks by the daemon's own finds none.
            File.Move(socket, socket + ".away");
            foreach (var script in new[] { "up", "down" })
            {
                var outcome = Script(script, 60, settings);
                Assert.Equal((1, ""), (outcome.Code, outcome.Output));
                Assert.Contains($"process {keeper} serves", outcome.Errors, StringComparison.Ordinal);
                Assert.Contains($"kill -HUP {keeper} ", outcome.Errors, StringComparison.Ordinal);
            }
            Command.Run("kill", "-HUP", keeper);
            for (var tries = 0; !File.Exists(socket) && tries < 500; tries++) Thread.Sleep(20);
            Assert.Contains($"process {keeper}", Script("up", 60, settings, "--no-swap").Succeeds().Output,
                StringComparison.Ordinal);
            File.Delete(socket + ".away");
        });
    }

    /// <summary>A test's own settings, and the daemon and the folder gone after it.</summary>
    private static void Up(Action<string, (string, string)[]> test)
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        (string, string)[] settings =
        [
            ("TMEM_MOUNT", Path.Combine(folder, "mnt")), ("TMEM_CAPACITY", "64M"),
            ("TMEM_SOCKET", Path.Combine(folder, "run/sock")), ("TMEM_OUT", Built.Folder),
        ];
        try
        {
            test(folder, settings);
        }
        finally
        {
            Script("down", 120, settings).Succeeds();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Outcome Script(string name, int seconds, (string, string)[] settings, params string[] arguments) =>
        Command.RunIn(Built.Repository, seconds, Path.Combine(Built.Repository, "scripts", name), arguments, settings);
}
