using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// Contents and attributes of files as other processes see them, with the kernel's page cache in between: beside what tmpfs does.
/// </summary>
public class FileContentsTests
{
    private const int Size = 8 << 20;
    private const string Tmpfs = "/dev/shm";

    /// <summary>
    /// A file that is mapped and written to, while the mapping is open: the kernel has the data and has not written it back, also
    /// after the worker was killed. A program that copies by holes copies all of it.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_copy_of_a_mapped_file_is_whole(bool direct)
    {
        Requires.Programs("tar", "install");
        using var daemon = Daemon.Start("64M");
        var program = NativeProgram.Of("mapped", daemon.Folder);
        var pool = daemon.Pool("p");
        var outside = Directory.CreateTempSubdirectory("tmem-copies-").FullName;
        var expected = new byte[Size];
        expected.AsSpan(1 << 20, 65536).Fill((byte)'x');
        expected.AsSpan(4 << 20, 4096).Fill((byte)'y');
        try
        {
            foreach (var round in new[] { "first", "after a kill" })
            {
                var file = Path.Combine(pool, "file");
                var copy = Path.Combine(outside, "file");
                using var mapped = Start(program, direct ? [file, "direct"] : [file]);
                if (round != "first")
                {
                    Syscall.kill(daemon.Worker, Signum.SIGKILL);
                    daemon.AwaitRestarts(1);
                }
                foreach (var (tool, words) in new (string, string[])[]
                {
                    ("cp", [file, copy]), ("cp", ["--sparse=always", file, copy]), ("install", [file, copy]),
                    ("sh", ["-c", $"tar -C '{pool}' -S -c file | tar -C '{outside}' -x"]), ("mv", [file, copy]),
                })
                {
                    Command.Run(tool, words).Succeeds();
                    var same = File.ReadAllBytes(copy).AsSpan().SequenceEqual(expected);
                    Assert.True(same, $"{round}: {tool} {string.Join(' ', words)} lost data");
                    File.Delete(copy);
                }
                mapped.StandardInput.Close();
                Assert.True(mapped.WaitForExit(30_000));
            }
            // A process that has a file to itself still learns of its holes.
            var sparse = Path.Combine(pool, "sparse");
            Command.Run("truncate", "--size=1G", sparse).Succeeds();
            Command.Run("cp", sparse, Path.Combine(pool, "copy")).Succeeds();
            // The kernel sends the last handle's release long after cp has ended.
            for (var tries = 0; Blocks() != "0"; tries++, Thread.Sleep(20)) Assert.InRange(tries, 0, 500);

            string Blocks() => Command.Run("stat", "-c", "%b", Path.Combine(pool, "copy")).Succeeds().Output.Trim();
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    /// <summary>
    /// Through an O_DIRECT handle, and as a loop device writes: bypassing the cache through a handle that was opened without
    /// O_DIRECT.
    /// </summary>
    [Theory]
    [InlineData("open")]
    [InlineData("fcntl")]
    public void No_reader_sees_what_a_direct_write_has_replaced(string how)
    {
        using var daemon = Daemon.Start("64M");
        var program = NativeProgram.Of("stale", daemon.Folder);
        Assert.Equal("0", Command.Run(program, Path.Combine(daemon.Pool("p"), "file"), "1000", how).Succeeds().Output.Trim());
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_time_that_was_set_stays_when_a_mapping_is_written_back_after_it()
    {
        using var daemon = Daemon.Start("64M");
        var program = NativeProgram.Of("mapped", daemon.Folder);
        foreach (var folder in new[] { Tmpfs, daemon.Pool("p") })
        {
            var file = Path.Combine(folder, $"tmem-mapped-{Environment.ProcessId}");
            using var mapped = Start(program, file);
            mapped.StandardInput.Close();
            Assert.Equal("1000000000", mapped.StandardOutput.ReadToEnd().Trim());
            Assert.Equal('z', (char)File.ReadAllBytes(file)[0]);
            foreach (var time in new[]
            {
                "1901-12-14 00:00:00.5", "2038-01-20 00:00:00.123456789", "2262-05-01 00:00:00", "2445-01-01 00:00:00.25",
                "5000-01-01 00:00:00",
            })
            {
                Command.Run("touch", "--date", time + " UTC", file).Succeeds();
                var shown = Command.Run("date", "-u", "-r", file, "+%Y-%m-%d %H:%M:%S.%N").Succeeds().Output.Trim();
                Assert.StartsWith(time, shown, StringComparison.Ordinal);
            }
            File.Delete(file);
        }
        daemon.Stop();
    }

    /// <summary>
    /// The time of modification as ext4 has it: what was written to a mapping before the time was set does not move it, whenever
    /// it is written back; what is written afterwards does.
    /// </summary>
    [Fact]
    public void A_time_that_was_set_is_moved_by_what_is_written_to_a_mapping_after_it()
    {
        using var daemon = Daemon.Start("64M");
        var program = NativeProgram.Of("times", daemon.Folder);
        var file = Path.Combine(daemon.Pool("p"), "file");
        foreach (var (steps, isKept) in new[]
        {
            ("as", true), ("sa", false), ("asa", false), ("asb", false), ("ayasya", false), ("abs", true), ("aysys", true),
            ("sawys", true), ("w", false), ("swa", false),
        })
        {
            var told = Command.Run(program, file, steps).Succeeds().Output.Trim();
            Assert.Equal((steps, isKept ? "kept" : "moved"), (steps, told));
        }
        // Beside another process's mapping, and without any change.
        Assert.Equal("kept", Command.Run(program, file, "s").Succeeds().Output.Trim());
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    /// <summary>
    /// Set-id bits end when another user changes the file, and nobody sees them afterwards: stat asks for the mode alone here,
    /// which the kernel could answer from its cache.
    /// </summary>
    [Fact]
    public void Set_id_bits_end_with_every_change_by_another_user()
    {
        Requires.Programs("setpriv", "fallocate", "truncate", "dd");
        using var daemon = Daemon.Start("64M");
        Command.Run("chmod", "755", daemon.Folder).Succeeds();
        var file = Path.Combine(daemon.Pool("p"), "file");
        foreach (var (change, words) in new (string, string[])[]
        {
            ("dd", ["if=/dev/zero", $"of={file}", "bs=100", "count=1", "conv=notrunc"]),
            ("dd", ["if=/dev/zero", $"of={file}", "bs=4096", "count=1", "conv=notrunc", "oflag=direct"]),
            ("truncate", ["--size=5000", file]), ("fallocate", ["--punch-hole", "--offset", "0", "--length", "4096", file]),
            ("fallocate", ["--zero-range", "--offset", "0", "--length", "4096", file]),
            ("fallocate", ["--zero-range", "--offset", "0", "--length", "90000", file]),
        })
        {
            foreach (var (before, after) in new[] { ("6777", "777"), ("6666", "666"), ("2676", "676") })
            {
                File.WriteAllBytes(file, new byte[10_000]);
                Command.Run("chmod", before, file).Succeeds();
                Assert.Equal(before, Mode());
                Command.Run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", change, .. words]).Succeeds();
                Assert.Equal((change, words, after), (change, words, Mode()));
            }
        }
        daemon.Stop();

        string Mode() => Command.Run("stat", "-c", "%a", file).Succeeds().Output.Trim();
    }

    [Fact]
    public void Trusted_names_are_shown_to_root_alone()
    {
        Requires.Programs("setpriv", "setfattr", "getfattr");
        using var daemon = Daemon.Start("64M");
        Command.Run("chmod", "755", daemon.Folder).Succeeds();
        var file = Path.Combine(daemon.Pool("p"), "file");
        Assert.Equal((Errno)0, Files.Create(file));
        Command.Run("chmod", "644", file).Succeeds();
        Command.Run("setfattr", "-n", "trusted.a", "-v", "1", file).Succeeds();
        Command.Run("setfattr", "-n", "user.b", "-v", "1", file).Succeeds();
        string[] list = ["getfattr", "--absolute-names", "-m", "-", file];
        Assert.Contains("trusted.a", Command.Run(list[0], list[1..]).Succeeds().Output, StringComparison.Ordinal);
        var seen = Command.Run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", .. list]).Succeeds().Output;
        Assert.DoesNotContain("trusted", seen, StringComparison.Ordinal);
        Assert.Contains("user.b", seen, StringComparison.Ordinal);
        daemon.Stop();
    }

    /// <summary>
    /// Room is not promised: posix_fallocate, which falls back to writing, still works; what can never fit is refused at once.
    /// </summary>
    [Fact]
    public void Fallocate_promises_no_room()
    {
        Requires.Programs("fallocate");
        using var daemon = Daemon.Start("64M");
        daemon.Control("pool", "create", "small", "--limit", "1M").Succeeds();
        var file = Path.Combine(daemon.Mount, "small", "file");
        foreach (var keep in new[] { Array.Empty<string>(), ["--keep-size"] })
        {
            Assert.Contains("support", Errors([.. keep, "--length", "1M", file]), StringComparison.OrdinalIgnoreCase);
            Assert.Contains("No space left", Errors([.. keep, "--length", "1G", file]), StringComparison.Ordinal);
        }
        Command.Run("fallocate", "--posix", "--length", "1M", file).Succeeds();
        Assert.Equal("1048576 2048", Command.Run("stat", "-c", "%s %b", file).Succeeds().Output.Trim());
        daemon.Stop();

        static string Errors(string[] words) => Command.Run("fallocate", words).Errors;
    }

    /// <summary>Starts the program that maps a file, and returns once it has written.</summary>
    private static Process Start(string program, params string[] words)
    {
        var info = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var word in words) info.ArgumentList.Add(word);
        var process = Process.Start(info)!;
        Assert.Equal("ready", Bounded.Run(process.StandardOutput.ReadLine));
        return process;
    }
}
