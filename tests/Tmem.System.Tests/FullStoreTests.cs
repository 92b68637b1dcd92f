using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A full store says so, keeps what it has, and has room again when something is removed.</summary>
public class FullStoreTests
{
    private const int Piece = 256 * 1024;

    [Fact]
    public void Writers_meet_ENOSPC_and_lose_nothing()
    {
        using var daemon = Daemon.Start("32M");
        var pool = daemon.Pool("p");
        // Two writers at once, each with its own files, until neither finds room.
        var written = new List<string>[2];
        var refusals = new Errno[2];
        Bounded.Run(() => Parallel.For(0, 2, writer => (written[writer], refusals[writer]) = FillUp(pool, writer)), 120);

        Assert.All(refusals, r => Assert.Equal(Errno.ENOSPC, r));
        var files = written.SelectMany(w => w).ToArray();
        Assert.InRange(files.Length, 20_000_000 / Piece, 33_554_432 / Piece);
        AssertIntact(files);
        Assert.True(daemon.Figure("store.usedBytes") <= 32 << 20, "more memory used than the capacity");
        Assert.True(daemon.Figure("total.putsNoRoom") > 0, "the refusals were not counted");
        daemon.Control("check").Succeeds();

        // Every second file is removed; the rest is still right and there is room for new ones.
        Bounded.Run(() => Array.ForEach([.. files.Where((_, i) => i % 2 == 0)], File.Delete));
        AssertIntact([.. files.Where((_, i) => i % 2 == 1)]);
        var (again, _) = Bounded.Run(() => FillUp(pool, 2));
        Assert.True(again.Count >= files.Length / 3, $"only {again.Count} files found room where {files.Length / 2} had been");
        AssertIntact([.. again, .. files.Where((_, i) => i % 2 == 1)]);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void Overwriting_in_a_full_store_keeps_old_or_new_pages_and_nothing_else()
    {
        using var daemon = Daemon.Start("24M");
        var pool = daemon.Pool("p");
        var (files, refusal) = Bounded.Run(() => FillUp(pool, 0), 120);
        Assert.Equal(Errno.ENOSPC, refusal);
        var file = files[0];
        var (old, fresh) = (Contents(file), Contents(file + "!"));
        Bounded.Run(() =>
        {
            var descriptor = Files.Open(file, OpenFlags.O_WRONLY, out _);
            // Refused or not: what counts is what is stored afterwards.
            Files.Write(descriptor, fresh);
            Files.Close(descriptor);
        });
        var now = Bounded.Run(() => File.ReadAllBytes(file));
        Assert.Equal(Piece, now.Length);
        for (var at = 0; at < Piece; at += 4096)
        {
            var page = now.AsSpan(at, 4096);
            var isOldOrNew = page.SequenceEqual(old.AsSpan(at, 4096)) || page.SequenceEqual(fresh.AsSpan(at, 4096));
            Assert.True(isOldOrNew, $"the page at {at} is neither the old nor the new one");
        }
        AssertIntact([.. files.Skip(1)]);
        daemon.Control("check").Succeeds();
    }

    [Fact]
    public void An_ephemeral_pool_forgets_pages_and_never_invents_them()
    {
        using var daemon = Daemon.Start("16M");
        daemon.Control("pool", "create", "cache", "--ephemeral").Succeeds();
        var pool = Path.Combine(daemon.Mount, "cache");
        var (files, refusal) = Bounded.Run(() => FillUp(pool, 0, most: 160), 120);
        Assert.Equal((Errno)0, refusal);
        var (right, gone) = Bounded.Run(() => CountPages(files), 120);
        Assert.True(right > 1000, $"only {right} pages are left in 16 MiB");
        Assert.Equal(files.Count * (Piece / 4096), right + gone);
        Assert.True(gone > 0 && daemon.Figure("total.evictions") > 0, "40 MiB fitted into 16");
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    // Each page of each file is there as written, or not there at all: anything else fails.
    private static (int Right, int Gone) CountPages(IReadOnlyList<string> files)
    {
        var (right, gone, page) = (0, 0, new byte[4096]);
        foreach (var file in files)
        {
            var written = Contents(file);
            var descriptor = Files.Open(file, OpenFlags.O_RDONLY, out var error);
            Assert.Equal((Errno)0, error);
            for (var at = 0; at < Piece; at += page.Length)
            {
                error = Files.Read(descriptor, page, at, out var length);
                if (error == Errno.ENODATA)
                {
                    gone++;
                    continue;
                }
                Assert.Equal(((Errno)0, page.Length), (error, length));
                Assert.True(page.AsSpan().SequenceEqual(written.AsSpan(at, page.Length)),
                    $"{file}: the page at {at} is not what was written");
                right++;
            }
            Files.Close(descriptor);
        }
        return (right, gone);
    }

    // Writes files of incompressible bytes until one is refused; that one is removed and not among those returned.
    private static (List<string> Files, Errno Refusal) FillUp(string pool, int writer, int most = 1000)
    {
        var files = new List<string>();
        for (var number = 0; number < most; number++)
        {
            var file = Path.Combine(pool, $"w{writer}-{number}");
            var descriptor = Files.Open(file, OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_WRONLY, out var refusal);
            if (descriptor < 0) return (files, refusal);
            refusal = Files.Write(descriptor, Contents(file));
            Files.Close(descriptor);
            if (refusal != 0)
            {
                File.Delete(file);
                return (files, refusal);
            }
            files.Add(file);
        }
        return (files, 0);
    }

    // The same name gives the same bytes, so that nothing has to be kept to compare with.
    private static byte[] Contents(string name)
    {
        var bytes = new byte[Piece];
        var seed = Path.GetFileName(name).Aggregate(17, (hash, letter) => unchecked(hash * 31 + letter));
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void AssertIntact(IReadOnlyList<string> files) => Bounded.Run(() =>
    {
        foreach (var file in files)
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(Contents(file)), $"{file} is not what was written");
    });
}
