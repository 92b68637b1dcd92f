using System.Text.Json.Nodes;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Pools, clients and the store itself change while the mount is in use, and while workers die.</summary>
public class StoreVerbTests
{
    private const int Mebi = 1 << 20;

    private static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static JsonNode Shown(Daemon daemon, string pool) =>
        JsonNode.Parse(daemon.Control("pool", "show", pool, "--json").Succeeds().Output)!;

    [Fact]
    public void A_pool_is_made_for_a_user_and_given_to_another()
    {
        using var daemon = Daemon.Start("64M");
        daemon.Control("pool", "create", "p", "--owner", "12", "--group", "34", "--mode", "0750", "--codec", "zstd").Succeeds();
        var path = Path.Combine(daemon.Mount, "p");
        Assert.Equal(0, Syscall.stat(path, out var stat));
        Assert.Equal((12u, 34u, "750"), (stat.st_uid, stat.st_gid, Convert.ToString((int)stat.st_mode & 0xFFF, 8)));
        daemon.Control("pool", "set", "p", "--owner", "0", "--mode", "2700", "--limit", "1M", "--codec", "lz4").Succeeds();
        daemon.KillWorker();
        Assert.Equal(0, Syscall.stat(path, out stat));
        Assert.Equal((0u, 34u, "2700"), (stat.st_uid, stat.st_gid, Convert.ToString((int)stat.st_mode & 0xFFF, 8)));
        var shown = Shown(daemon, "p");
        Assert.Equal((Mebi, "lz4"), (shown["limitBytes"]!.GetValue<int>(), shown["codec"]!.GetValue<string>()));
        Assert.Contains("pages of 4.0 KiB", daemon.Control("pool", "create", "q", "--page-size", "64K").Errors,
            StringComparison.Ordinal);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_lower_limit_refuses_in_a_pool_of_files_and_evicts_in_a_cache()
    {
        using var daemon = Daemon.Start("64M");
        daemon.Pool("files");
        daemon.Control("pool", "create", "cache", "--ephemeral").Succeeds();
        var file = Path.Combine(daemon.Mount, "files/f");
        Bounded.Run(() => File.WriteAllBytes(file, Noise(4 * Mebi, 1)));
        Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Mount, "cache/f"), Noise(4 * Mebi, 1)));
        var set = daemon.Control("pool", "set", "files", "--limit", "1M").Succeeds().Output;
        Assert.Contains("more than its limit", set, StringComparison.Ordinal);
        Assert.Matches("[0-9]+ pages made way", daemon.Control("pool", "set", "cache", "--limit", "1M").Succeeds().Output);
        Assert.Equal(Noise(4 * Mebi, 1), Bounded.Run(() => File.ReadAllBytes(file)));
        Assert.Throws<IOException>(() => Bounded.Run(() => File.WriteAllBytes(file + "2", Noise(65536, 2))));
        Bounded.Run(() => File.Delete(file));
        Bounded.Run(() => File.WriteAllBytes(file, Noise(65536, 2)));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    /// <summary>The kernel remembers names: none that is gone is shown.</summary>
    [Fact]
    public void A_pool_is_emptied_while_the_kernel_remembers_its_files()
    {
        using var daemon = Daemon.Start("64M");
        var pool = daemon.Pool("p");
        Bounded.Run(() =>
        {
            Directory.CreateDirectory(pool + "/d");
            for (var i = 0; i < 200; i++) File.WriteAllBytes($"{pool}/d/{i}", Noise(8192, i));
            foreach (var name in Directory.EnumerateFiles(pool + "/d")) File.ReadAllBytes(name);
        });
        using (File.OpenRead(pool + "/d/7"))
        {
            var refused = daemon.Control("pool", "empty", "p");
            Assert.Equal(1, refused.Code);
            Assert.Contains($"{pool}/d/7 by process", refused.Errors, StringComparison.Ordinal);
        }
        // The kernel tells of a close a moment after it.
        for (var tries = 0; daemon.Control("pool", "empty", "p").Code != 0; tries++)
        {
            Assert.True(tries < 50);
            Thread.Sleep(20);
        }
        Assert.Equal(0, Shown(daemon, "p")["figures"]!["pages"]!.GetValue<int>());
        Bounded.Run(() =>
        {
            Assert.False(File.Exists(pool + "/d/8"));
            Assert.Empty(Directory.EnumerateFileSystemEntries(pool));
            Directory.CreateDirectory(pool + "/d");
            File.WriteAllText(pool + "/d/8", "new");
            Assert.Equal("new", File.ReadAllText(pool + "/d/8"));
        });
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public async Task A_pool_is_full_or_empty_whenever_its_worker_is_killed()
    {
        using var daemon = Daemon.Start("128M");
        var pool = daemon.Pool("p");
        var random = new Random(1);
        for (var round = 0; round < 8; round++)
        {
            Bounded.Run(() =>
            {
                for (var i = 0; i < 300; i++) File.WriteAllBytes($"{pool}/{i}", Noise(4096 * (1 + i % 7), i));
            });
            var restarts = daemon.Figure("processes.restarts");
            var empty = Task.Run(() => daemon.Control("pool", "empty", "p"), TestContext.Current.CancellationToken);
            Thread.Sleep(random.Next(25));
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(restarts + 1);
            var code = (await empty).Code;
            Assert.True(code is 0 or 3 or 5, $"exit code {code}");
            var names = Bounded.Run(() => Directory.EnumerateFiles(pool).Count());
            Assert.True(names is 0 or 300, $"{names} files are left");
            if (names > 0) Assert.Equal(Noise(4096 * 3, 9 * 7 + 2), Bounded.Run(() => File.ReadAllBytes($"{pool}/65")));
            daemon.Control("check").Succeeds();
            daemon.Control("pool", "empty", "p").Succeeds();
            Assert.Equal(0, Shown(daemon, "p")["figures"]!["pages"]!.GetValue<int>());
        }
        daemon.Stop();
    }

    [Fact]
    public void The_store_is_resized_and_the_next_worker_has_its_new_capacity()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllBytes(file, Noise(40 * Mebi, 1)));
        daemon.Control("resize", "128M").Succeeds();
        Bounded.Run(() => File.WriteAllBytes(file + "2", Noise(40 * Mebi, 2)));
        daemon.KillWorker();
        Assert.Equal(128L * Mebi, daemon.Figure("store.capacityBytes"));
        var refused = daemon.Control("resize", "50M");
        Assert.Equal(1, refused.Code);
        Assert.Matches("it takes [0-9.]+ MiB, and [0-9.]+ MiB of it have to stay", refused.Errors);
        Assert.Contains("made for 256.0 MiB at most", daemon.Control("resize", "257M").Errors, StringComparison.Ordinal);
        // Room that has to be made is made from caches.
        daemon.Control("pool", "create", "cache", "--ephemeral").Succeeds();
        Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Mount, "cache/f"), Noise(30 * Mebi, 3)));
        Assert.Contains("made way", daemon.Control("resize", "100M").Succeeds().Output, StringComparison.Ordinal);
        Assert.InRange(daemon.Figure("store.usedBytes"), 80L * Mebi, 100L * Mebi);
        Assert.Equal(1, daemon.Control("shrink", "10M").Code);
        Bounded.Run(() => File.Delete(file));
        daemon.Control("compact").Succeeds();
        Assert.InRange(daemon.Figure("store.usedBytes"), 40L * Mebi, 60L * Mebi);
        daemon.Control("shrink", "60M").Succeeds();
        Assert.Equal(Noise(40 * Mebi, 2), Bounded.Run(() => File.ReadAllBytes(file + "2")));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public async Task A_worker_killed_amid_a_resize_leaves_one_capacity_or_the_other()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        daemon.Control("pool", "create", "cache", "--ephemeral").Succeeds();
        Bounded.Run(() => File.WriteAllBytes(file, Noise(10 * Mebi, 1)));
        var random = new Random(2);
        for (var round = 0; round < 8; round++)
        {
            daemon.Control("resize", "64M").Succeeds();
            Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Mount, "cache/f"), Noise(40 * Mebi, round)));
            var restarts = daemon.Figure("processes.restarts");
            var resize = Task.Run(() => daemon.Control("resize", "24M"), TestContext.Current.CancellationToken);
            Thread.Sleep(random.Next(60));
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(restarts + 1);
            await resize;
            var capacity = daemon.Figure("store.capacityBytes");
            Assert.True(capacity is 24L * Mebi or 64L * Mebi, $"{capacity}");
            Assert.InRange(daemon.Figure("store.usedBytes"), 0, capacity);
            daemon.Control("check").Succeeds();
        }
        Assert.Equal(Noise(10 * Mebi, 1), Bounded.Run(() => File.ReadAllBytes(file)));
        daemon.Stop();
    }

    [Fact]
    public void A_sync_makes_everything_durable()
    {
        var folder = Daemon.NewFolder();
        var region = Path.Combine(folder, "region");
        try
        {
            using (var daemon = Daemon.Start("64M", folder, "--region", region, "--sync-interval", "3600"))
            {
                Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Pool("p"), "f"), Noise(Mebi, 1)));
                Assert.Equal($"{region} is written\n", daemon.Control("sync").Succeeds().Output);
                daemon.KillAll();
                Command.RunFor(60, Built.Control, "--socket", daemon.Socket, "recover", "--mount", daemon.Mount);
            }
            using (var daemon = Daemon.Start("64M", folder, "--region", region))
            {
                Assert.Equal(Noise(Mebi, 1), Bounded.Run(() => File.ReadAllBytes(Path.Combine(daemon.Mount, "p/f"))));
                // Nothing is lost with the daemon, and nothing is asked.
                daemon.Control("stop").Succeeds();
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_limit_of_the_file_system_holds_for_all_its_pools_and_over_restarts()
    {
        using var daemon = Daemon.Start("64M");
        var (a, b) = (daemon.Pool("a"), daemon.Pool("b"));
        Bounded.Run(() => File.WriteAllBytes(a + "/f", Noise(4 * Mebi, 1)));
        Assert.Contains("limit 6.0 MiB, weight 2", daemon.Control("client", "set", "1", "--limit", "6M", "--weight", "2")
            .Succeeds().Output, StringComparison.Ordinal);
        daemon.KillWorker();
        Assert.Throws<IOException>(() => Bounded.Run(() => File.WriteAllBytes(b + "/f", Noise(4 * Mebi, 2))));
        var client = JsonNode.Parse(daemon.Control("client", "list", "--json").Succeeds().Output)!["clients"]![0]!;
        Assert.Equal((6 * Mebi, 2), (client["limitBytes"]!.GetValue<int>(), client["weight"]!.GetValue<int>()));
        Assert.InRange(client["memoryBytes"]!.GetValue<int>(), 5 * Mebi, 6 * Mebi);
        daemon.Control("client", "set", "1", "--limit", "none").Succeeds();
        Bounded.Run(() => File.WriteAllBytes(b + "/f", Noise(4 * Mebi, 2)));
        Assert.Equal(1, daemon.Control("client", "set", "7", "--weight", "2").Code);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_store_in_memory_is_stopped_with_somebodys_consent()
    {
        using var daemon = Daemon.Start("64M");
        Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Pool("p"), "f"), Noise(Mebi, 1)));
        var refused = daemon.Control("stop");
        Assert.Equal(1, refused.Code);
        Assert.Contains("stopping loses 1 file of 1 pool (p), 1.0 MiB", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(Noise(Mebi, 1), Bounded.Run(() => File.ReadAllBytes(Path.Combine(daemon.Mount, "p/f"))));
        daemon.Stop();
    }
}
