using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// What a region file holds while its daemon works: the daemon is stopped at any moment, and a copy of the file is opened.
/// </summary>
public class RegionFileTests
{
    [Fact]
    public void A_stop_that_would_lose_what_the_full_disk_did_not_take_is_refused()
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        var disk = Path.Combine(folder, "disk");
        Directory.CreateDirectory(disk);
        Command.Run("mount", "-t", "tmpfs", "-o", "size=16M", "none", disk).Succeeds();
        try
        {
            var region = Path.Combine(disk, "tmem.region");
            var bytes = new byte[24 << 20];
            new Random(3).NextBytes(bytes);
            using (var daemon = Daemon.Start("64M", folder, "--region", region))
            {
                var file = Path.Combine(daemon.Pool("p"), "file");
                Bounded.Run(() => File.WriteAllBytes(file, bytes));
                var stop = daemon.Control("stop", "--force");
                Assert.Equal(1, stop.Code);
                Assert.Contains("has no room for what has changed", stop.All, StringComparison.Ordinal);
                Assert.True(bytes.AsSpan().SequenceEqual(Bounded.Run(() => File.ReadAllBytes(file))));
                Command.Run("mount", "-o", "remount,size=128M", disk).Succeeds();
                daemon.Stop();
            }
            using (var daemon = Daemon.Start("64M", folder, "--region", region))
            {
                Assert.True(
                    bytes.AsSpan().SequenceEqual(Bounded.Run(() => File.ReadAllBytes(Path.Combine(daemon.Mount, "p/file")))));
                daemon.Stop();
            }
        }
        finally
        {
            Command.Run("umount", disk);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_copy_of_the_file_at_any_moment_has_what_was_synced()
    {
        Requires.Machine();
        var folder = OnADisk();
        try
        {
            var region = Path.Combine(folder, "tmem.region");
            using var daemon = Daemon.Start("64M", folder, "--region", region, "--sync-interval", "0");
            var pool = daemon.Pool("p");
            var promised = 0;
            var worker = daemon.Worker;
            using var stop = new CancellationTokenSource();
            var writer = Task.Factory.StartNew(() =>
            {
                for (var number = 1; !stop.IsCancellationRequested; number++)
                {
                    WriteSynced(Path.Combine(pool, $"f{number}"), Contents(number));
                    Volatile.Write(ref promised, number);
                    if (number > 40) File.Delete(Path.Combine(pool, $"f{number - 40}"));
                }
            }, TaskCreationOptions.LongRunning);
            var random = new Random(5);
            for (var copy = 0; copy < 6; copy++)
            {
                Thread.Sleep(random.Next(50, 400));
                var least = Volatile.Read(ref promised);
                var to = Path.Combine(folder, "copy.region");
                // Stopped by the copying process: a process started meanwhile would wait for the daemon to flush the files it
                // inherits.
                Command.Run("sh", "-c", $"kill -STOP {worker}; cp --sparse=always '{region}' '{to}'; kill -CONT {worker}")
                    .Succeeds();
                CheckCopy(to, least);
            }
            stop.Cancel();
            await writer.WaitAsync(TimeSpan.FromSeconds(60));
            Assert.True(daemon.Figure("store.durability.checkpoints") > 6);
            daemon.Stop();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Killed_it_comes_back_as_it_was_synced()
    {
        Requires.Machine();
        var folder = OnADisk();
        try
        {
            var region = Path.Combine(folder, "tmem.region");
            using (var daemon = Daemon.Start("64M", folder, "--region", region, "--sync-interval", "0"))
            {
                var pool = daemon.Pool("p");
                for (var number = 1; number <= 20; number++)
                    Bounded.Run(() => WriteSynced(Path.Combine(pool, $"f{number}"), Contents(number)));
                // The kernel syncs after each write to a file opened so; nobody calls fsync.
                Bounded.Run(() => WriteSynchronously(Path.Combine(pool, "dsync"), Contents(77)));
                Bounded.Run(() => File.WriteAllBytes(Path.Combine(pool, "unsynced"), Contents(99)));
                daemon.KillBoth();
            }
            using var next = Daemon.Start("64M", folder, "--region", region);
            var found = Path.Combine(next.Mount, "p");
            for (var number = 1; number <= 20; number++)
                Assert.Equal(Contents(number), Bounded.Run(() => File.ReadAllBytes(Path.Combine(found, $"f{number}"))));
            Assert.Equal(Contents(77), Bounded.Run(() => File.ReadAllBytes(Path.Combine(found, "dsync"))));
            Assert.False(Bounded.Run(() => File.Exists(Path.Combine(found, "unsynced"))));
            next.Control("check").Succeeds();
            next.Stop();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void CheckCopy(string region, int least)
    {
        var folder = Daemon.NewFolder();
        try
        {
            using var daemon = Daemon.Start("64M", folder, "--region", region);
            daemon.Control("check").Succeeds();
            var pool = Path.Combine(daemon.Mount, "p");
            var names = Bounded.Run(() => Directory.GetFiles(pool).Select(path => int.Parse(Path.GetFileName(path)[1..])).Order()
                .ToList());
            // Each is synced before the next is made, and the fortieth before it is then removed. The last may lack its contents:
            // it was being made when the daemon was stopped, which may be long after the least was promised.
            var last = names.LastOrDefault();
            Assert.True(last >= least, $"f{least} was synced, and f{last} is the last there is");
            Assert.Empty(Enumerable.Range(1, last).Skip(Math.Max(0, last - 40)).Except(names));
            foreach (var number in names)
            {
                var bytes = Bounded.Run(() => File.ReadAllBytes(Path.Combine(pool, $"f{number}")));
                if (number < last || number <= least) Assert.Equal(Contents(number), bytes);
                else Assert.True(Contents(number).AsSpan().StartsWith(bytes), $"f{number} has bytes that nobody wrote");
            }
            daemon.Stop();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static byte[] Contents(int number)
    {
        var bytes = new byte[10_000 + number];
        new Random(number).NextBytes(bytes.AsSpan(2_000));
        return bytes;
    }

    private static void WriteSynced(string path, byte[] bytes)
    {
        using var file = new FileStream(path, FileMode.Create);
        file.Write(bytes);
        file.Flush(flushToDisk: true);
    }

    private static void WriteSynchronously(string path, byte[] bytes)
    {
        var descriptor = Syscall.open(path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY | (OpenFlags)0x1000 /* O_DSYNC */,
            FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        Assert.True(descriptor >= 0);
        unsafe
        {
            fixed (byte* p = bytes) Assert.Equal(bytes.Length, Syscall.write(descriptor, (nint)p, (ulong)bytes.Length));
        }
        Assert.Equal(0, Syscall.close(descriptor));
    }

    /// <summary>A folder that is not in memory, where the disk's behaviour matters.</summary>
    private static string OnADisk()
    {
        var folder = Path.Combine("/var/tmp", $"tmem-test-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        return folder;
    }
}
