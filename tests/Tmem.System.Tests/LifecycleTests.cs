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

    private static Outcome Script(string name, int seconds, (string, string)[] settings, params string[] arguments) =>
        Command.RunIn(Built.Repository, seconds, Path.Combine(Built.Repository, "scripts", name), arguments, settings);
}
