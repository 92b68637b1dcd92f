using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// The region's file is removed, replaced or moved under its daemon, or its disk fills. No sync and no stop succeeds if something
/// would be lost, and the store can be saved or given up.
/// </summary>
public sealed class LostRegionTests : IDisposable
{
    private readonly string _folder = Daemon.NewFolder();

    /// <summary>The mount point of a small disk.</summary>
    private readonly string _disk = Daemon.NewFolder();

    private string Region => Path.Combine(_folder, "tmem.region");

    public void Dispose()
    {
        Command.Run("umount", _disk);
        Directory.Delete(_disk);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("removed")]
    [InlineData("replaced")]
    public void Without_its_file_every_sync_and_stop_fails_and_the_store_can_be_saved(string how)
    {
        var bytes = new byte[300_000];
        new Random(1).NextBytes(bytes);
        using (var daemon = Daemon.Start("64M", _folder, "--region", Region, "--sync-interval", "0"))
        {
            var pool = daemon.Pool("p");
            Assert.Equal((Errno)0, WriteSynced(Path.Combine(pool, "before"), bytes));
            daemon.Control("check").Succeeds();
            if (how == "replaced")
            {
                File.WriteAllText(Region + ".new", "");
                File.Move(Region + ".new", Region, overwrite: true);
            }
            else File.Delete(Region);
            Assert.Equal(Errno.EIO, WriteSynced(Path.Combine(pool, "after"), bytes));
            AssertReportsRemoval(daemon);
            Assert.Contains($"region file '{Region}' has been removed or replaced", daemon.Log, StringComparison.Ordinal);

            // The successor inherits the same file, and reports the same.
            daemon.Control("upgrade").Succeeds();
            Assert.Equal(1, daemon.Figure("processes.upgrades"));
            AssertReportsRemoval(daemon);
            Assert.Equal(Errno.EIO, WriteSynced(Path.Combine(pool, "later"), bytes));
            daemon.Signal(Signum.SIGTERM);
            daemon.AwaitLog("has been removed or replaced, and all that is stored");
            var refused = daemon.Control("stop", "--force");
            Assert.Equal(1, refused.Code);
            Assert.Contains("removed or replaced", refused.All, StringComparison.Ordinal);
            Assert.Contains($"--socket {daemon.Socket} stop --discard'", refused.All, StringComparison.Ordinal);

            // The path in the refusal leads to the file, as the last sync leaves it.
            var at = refused.All.Split(' ', ',').Single(word => word.StartsWith("/proc/", StringComparison.Ordinal));
            Command.Run("sh", "-c",
                $"exec 9<{at} && '{Built.Control}' --socket '{daemon.Socket}' stop --discard && cat <&9 >'{_folder}/saved'")
                .Succeeds();
            AssertHasEnded(daemon);
        }
        using var saved = Daemon.Start("64M", _folder, "--region", Path.Combine(_folder, "saved"));
        foreach (var name in new[] { "before", "after", "later" })
            Assert.True(bytes.AsSpan().SequenceEqual(
                Bounded.Run(() => File.ReadAllBytes(Path.Combine(saved.Mount, "p", name)))), name);
        saved.Control("check").Succeeds();
        saved.Stop();
    }

    [Fact]
    public void A_discarding_stop_says_how_much_is_lost()
    {
        using var daemon = Daemon.Start("64M", _folder, "--region", Region);
        WriteSynced(Path.Combine(daemon.Pool("p"), "file"), new byte[5000]);
        File.Delete(Region);
        var stop = daemon.Control("stop", "--force", "--discard").Succeeds().Output;
        Assert.Matches("has ended; [0-9.]+ [KM]iB of the store are lost", stop);
        AssertHasEnded(daemon);
    }

    [Fact]
    public void A_store_on_a_full_disk_can_be_given_up()
    {
        Requires.Machine();
        Command.Run("mount", "-t", "tmpfs", "-o", "size=16M", "none", _disk).Succeeds();
        var bytes = new byte[24 << 20];
        new Random(3).NextBytes(bytes);
        var region = Path.Combine(_disk, "tmem.region");
        using (var daemon = Daemon.Start("64M", _folder, "--region", region))
        {
            var pool = daemon.Pool("p");
            Assert.Equal((Errno)0, WriteSynced(Path.Combine(pool, "small"), bytes.AsSpan(0, 9000).ToArray()));
            Assert.Equal(Errno.ENOSPC, WriteSynced(Path.Combine(pool, "large"), bytes));
            var refused = daemon.Control("stop", "--force");
            Assert.Equal(1, refused.Code);
            Assert.Contains("stop --discard'", refused.All, StringComparison.Ordinal);
            Assert.Matches("[0-9.]+ MiB of the store are lost", daemon.Control("stop", "--force", "--discard").Succeeds().Output);
            AssertHasEnded(daemon);
        }
        // The store as it was when the file could last be written.
        using var next = Daemon.Start("64M", _folder, "--region", region);
        Assert.Equal(bytes.AsSpan(0, 9000).ToArray(),
            Bounded.Run(() => File.ReadAllBytes(Path.Combine(next.Mount, "p/small"))));
        next.Stop();
    }

    [Fact]
    public void A_discarding_stop_writes_what_it_can()
    {
        using (var daemon = Daemon.Start("64M", _folder, "--region", Region, "--sync-interval", "0"))
        {
            Bounded.Run(() => File.WriteAllText(Path.Combine(daemon.Pool("p"), "file"), "kept"));
            Assert.DoesNotContain("lost", daemon.Control("stop", "--discard").Succeeds().Output, StringComparison.Ordinal);
            AssertHasEnded(daemon);
        }
        using var next = Daemon.Start("64M", _folder, "--region", Region);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(Path.Combine(next.Mount, "p/file"))));
        next.Stop();
    }

    [Fact]
    public void A_moved_file_is_reported_and_the_daemon_stops_in_order()
    {
        using (var daemon = Daemon.Start("64M", _folder, "--region", Region))
        {
            var pool = daemon.Pool("p");
            File.Move(Region, Region + ".moved");
            Assert.Equal((Errno)0, WriteSynced(Path.Combine(pool, "file"), new byte[5000]));
            daemon.AwaitLog($"is now at {Region}.moved: start with that, or move it back");
            Assert.Contains($"is now at {Region}.moved", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
            daemon.Stop();
        }
        using var next = Daemon.Start("64M", _folder, "--region", Region + ".moved");
        Assert.Equal(5000, Bounded.Run(() => new FileInfo(Path.Combine(next.Mount, "p/file")).Length));
        next.Stop();
    }

    private static void AssertReportsRemoval(Daemon daemon)
    {
        Assert.Contains("REMOVED OR REPLACED", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        var check = daemon.Control("check");
        Assert.Equal(4, check.Code);
        Assert.Contains("removed or replaced", check.All, StringComparison.Ordinal);
    }

    private static void AssertHasEnded(Daemon daemon)
    {
        Assert.True(daemon.WaitForEnd(30), $"tmemd did not end\n{daemon.Log}");
        Assert.Equal(0, daemon.ExitCode);
        daemon.AwaitNothing();
    }

    /// <summary>Writes a file; returns the errno of its fsync.</summary>
    private static Errno WriteSynced(string path, byte[] bytes) => Bounded.Run(() =>
    {
        File.WriteAllBytes(path, bytes);
        var descriptor = Syscall.open(path, OpenFlags.O_WRONLY);
        Assert.True(descriptor >= 0);
        var error = Syscall.fsync(descriptor) == 0 ? 0 : Syscall.GetLastError();
        _ = Syscall.close(descriptor);
        return error;
    });
}
