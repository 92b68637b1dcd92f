using System.Text.Json.Nodes;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A region's file on a small disk of its own that fills: ext4 on a loop device.</summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly string _folder = Daemon.NewFolder();

    private string Disk => Path.Combine(_folder, "disk");
    private string Region => Path.Combine(Disk, "tmem.region");

    public void Dispose()
    {
        Command.Run("umount", Disk);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_full_disk_lets_go_when_what_filled_it_goes()
    {
        MakeDisk("24M");
        using (var daemon = Daemon.Start("256M", _folder, "--region", Region))
        {
            Assert.Contains("has 1", daemon.Log, StringComparison.Ordinal);
            Assert.Contains("a full store that changes as a whole needs 512", daemon.Log, StringComparison.Ordinal);
            var pool = daemon.Pool("p");
            Assert.Equal(0, WriteSynced(Path.Combine(pool, "small"), 1));
            Assert.Equal(Errno.ENOSPC, (Errno)WriteSynced(Path.Combine(pool, "large"), 60));
            AwaitFree(15);

            // All of the store is in memory, and a successor serves it from there.
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(1);
            Assert.Equal(60L << 20, Bounded.Run(() => new FileInfo(Path.Combine(pool, "large")).Length));
            Assert.Equal(Contents(1), Bounded.Run(() => File.ReadAllBytes(Path.Combine(pool, "small"))));
            var stop = daemon.Control("stop", "--force");
            Assert.Equal(1, stop.Code);
            Assert.Contains("no room for", stop.All, StringComparison.Ordinal);
            Assert.Contains("THE LAST TIME FAILED", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);

            Bounded.Run(() => File.Delete(Path.Combine(pool, "large")));
            // The kernel forgets the file a moment later.
            for (var tries = 0; daemon.Figure("store.usedBytes") > 10 << 20; tries++)
            {
                Assert.True(tries < 200, "a file that was removed is still there");
                Thread.Sleep(50);
            }
            daemon.Stop();
            Assert.Matches("\n[^\n]+Z error [^\n]+ cannot be written: No space left on device", daemon.Log);
            Assert.Contains("is written again", daemon.Log, StringComparison.Ordinal);
        }
        AssertHolds("small", 1);
    }

    [Fact]
    public void What_fsync_promised_is_there_though_the_disk_is_full_afterwards()
    {
        MakeDisk("100M");
        using (var daemon = Daemon.Start("256M", _folder, "--region", Region, "--sync-interval", "0"))
        {
            var pool = daemon.Pool("p");
            // Its journal would fit, but then not its image.
            Assert.Equal(Errno.ENOSPC, (Errno)WriteSynced(Path.Combine(pool, "large"), 60));
            AwaitFree(70);
            Bounded.Run(() => File.Delete(Path.Combine(pool, "large")));
            for (var tries = 0; daemon.Figure("store.usedBytes") > 10 << 20 && tries < 200; tries++) Thread.Sleep(50);
            Assert.Equal(0, WriteSynced(Path.Combine(pool, "fits"), 30));
            // The journal gives back some of its room once it is applied, which a sync does not wait for.
            for (var tries = 0; tries < 20 && new DriveInfo(Disk).AvailableFreeSpace >= 1 << 20; tries++)
                Command.Run("sh", "-c", $"head -c 200M /dev/zero >> '{Disk}/filler'");
            Assert.True(new DriveInfo(Disk).AvailableFreeSpace < 1 << 20);
            daemon.KillBoth();
        }
        var check = Command.Run(Built.Daemon, "--check-region", Region).Succeeds().Output;
        Assert.Contains("sound", check, StringComparison.Ordinal);
        AssertHolds("fits", 30);
    }

    private void MakeDisk(string size)
    {
        Requires.Machine();
        Requires.Programs("mkfs.ext4", "losetup", "mount");
        if (!File.Exists("/dev/loop-control")) Assert.Skip("/dev/loop-control is missing; load the module loop");
        Directory.CreateDirectory(Disk);
        var image = Path.Combine(_folder, "image");
        Command.Run("truncate", "--size", size, image).Succeeds();
        Command.Run("mkfs.ext4", "-q", "-F", image).Succeeds();
        Command.Run("mount", "-o", "loop", image, Disk).Succeeds();
    }

    private void AssertHolds(string name, int mebis)
    {
        using var daemon = Daemon.Start("256M", _folder, "--region", Region);
        Assert.Equal("write-protect", TrackingOf(daemon));
        var bytes = Bounded.Run(() => File.ReadAllBytes(Path.Combine(daemon.Mount, "p", name)));
        Assert.True(Contents(mebis).AsSpan().SequenceEqual(bytes));
        // However full the disk is: what an attach rebuilds needs no blocks, and the journal has kept some for the rest.
        daemon.Stop();
    }

    private static string TrackingOf(Daemon daemon)
    {
        var status = JsonNode.Parse(daemon.Control("status", "--json").Succeeds().Output)!;
        var tracking = status["store"]!["durability"]!["tracking"]!.GetValue<string>();
        if (tracking == "hashes") Assert.Skip("this kernel or sandbox cannot tell which pages are written");
        return tracking;
    }

    /// <summary>A failed sync keeps no blocks of the disk.</summary>
    private void AwaitFree(int mebis)
    {
        for (var tries = 0; new DriveInfo(Disk).AvailableFreeSpace < (long)mebis << 20; tries++)
        {
            Assert.True(tries < 200, $"{new DriveInfo(Disk).AvailableFreeSpace >> 20} MiB are free");
            Thread.Sleep(50);
        }
    }

    private static byte[] Contents(int mebis)
    {
        var bytes = new byte[mebis << 20];
        new Random(mebis).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Writes and syncs a file of so many incompressible MiB. Returns the errno of fsync.</summary>
    private static int WriteSynced(string path, int mebis) => Bounded.Run(() =>
    {
        var bytes = Contents(mebis);
        var descriptor = Syscall.open(path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY,
            FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        Assert.True(descriptor >= 0);
        unsafe
        {
            fixed (byte* p = bytes)
                for (var at = 0; at < bytes.Length; at += 1 << 20)
                    Assert.Equal(1 << 20, Syscall.write(descriptor, (nint)(p + at), 1 << 20));
        }
        var error = Syscall.fsync(descriptor) == 0 ? 0 : (int)Syscall.GetLastError();
        _ = Syscall.close(descriptor);
        return error;
    });
}
