using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>scripts/up and scripts/down: what one sets up the other takes away, and nothing of anybody else's.</summary>
public class UpDownTests
{
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
        // With nothing up, down has nothing to do and succeeds.
        Script("down", 60, settings).Succeeds();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The option reaches "swap on", which asks for it by the name that it has here.</summary>
    [Fact]
    public void Scripts_up_makes_far_more_swap_than_the_store_holds_only_by_swap_force()
    {
        Requires.Swap();
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            string[] large = ["--swap-size", "1300M", "--swap-priority", "1"];
            var refused = Script("up", 60, settings, large);
            Assert.Equal(1, refused.Code);
            Assert.Contains("--swap-size 1.3 GiB is more than 10 times the store's capacity", refused.Errors,
                StringComparison.Ordinal);
            Assert.Contains("or --swap-force if your pages", refused.Errors, StringComparison.Ordinal);
            Assert.Equal(4, MachineState.Of(folder, 4).Length);
            var on = Script("up", 60, settings, [.. large, "--swap-force"]).Succeeds();
            Assert.Contains("and 7 more, 1.3 GiB, priorities 1 to 0, file", on.Output, StringComparison.Ordinal);
            // Mount and three processes, and eight parts with a loop device each.
            Assert.Equal(20, MachineState.Of(folder, 20).Length);
        });
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
            // The command that it names to stop this daemon does so. The tests' own root needs no sudo.
            var stop = other.Errors[(other.Errors.IndexOf("sudo ", StringComparison.Ordinal) + 5)..].TrimEnd();
            Command.RunIn(Built.Repository, 60, "sh", ["-c", $"exec env {stop}"]).Succeeds();
            Assert.Empty(MachineState.Of(folder));
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
            // The directory that held both as well, whichever of them made it.
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
    public void Scripts_down_loses_nothing_that_nobody_agreed_to_lose()
    {
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--no-swap").Succeeds();
            var file = Path.Combine(folder, "mnt/p/file");
            Bounded.Run(() => File.WriteAllText(Directory.CreateDirectory(Path.GetDirectoryName(file)!).FullName + "/file", "x"));
            var refused = Script("down", 60, settings);
            Assert.Equal(1, refused.Code);
            Assert.Contains("stopping loses 1 file of 1 pool (p), 4.0 KiB: the store is memory alone", refused.Errors,
                StringComparison.Ordinal);
            Assert.Equal("x", Bounded.Run(() => File.ReadAllText(file)));
            Script("down", 60, settings, "--force").Succeeds();
        });
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
    public void Scripts_down_leaves_swap_on_if_the_stop_would_be_refused()
    {
        Requires.Swap();
        Up((folder, settings) =>
        {
            Script("up", 60, settings, "--swap-size", "16M", "--swap-priority", "1").Succeeds();
            var file = Path.Combine(folder, "mnt/p/open");
            Bounded.Run(() => Directory.CreateDirectory(Path.GetDirectoryName(file)!));
            var busy = Command.RunIn(Built.Repository, 60, "bash",
                ["-c", "exec 9>\"$0\"; scripts/down --force; echo code $?", file], settings);
            Assert.Contains("code 1", busy.Output, StringComparison.Ordinal);
            Assert.Matches("held by process [0-9]+ \\(bash\\);", busy.Errors);
            Assert.Contains("goes on, and swap is on", busy.Errors, StringComparison.Ordinal);
            Assert.Contains(MachineState.Of(folder, 6), line => line.StartsWith("swap", StringComparison.Ordinal));
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
            // Renamed, and not removed: a search by the daemon's own name finds none.
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

    /// <summary>Runs a test with its own settings, and removes the daemon and the folder afterwards.</summary>
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
            Script("down", 120, settings, "--force").Succeeds();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Outcome Script(string name, int seconds, (string, string)[] settings, params string[] arguments) =>
        Command.RunIn(Built.Repository, seconds, Path.Combine(Built.Repository, "scripts", name), arguments, settings);
}
