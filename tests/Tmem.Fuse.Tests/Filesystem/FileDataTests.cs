using Tmem.Engine;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Contents of files in persistent pools beyond what the model covers: limits, lack of room, allocation, threads.
/// </summary>
public sealed class FileDataTests
{
    private const ulong Maximum = 1UL << 44;

    [Fact]
    public void A_file_ends_at_16_ti_b()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f");
        volume.Write(file, Maximum - 3, "end"u8);
        Assert.Equal((Maximum, 8UL), (volume.Attributes(file).Size, volume.Attributes(file).Blocks));
        Assert.Equal("end"u8.ToArray(), volume.Read(file, Maximum - 3, 100));
        Assert.Equal(Errno.EFBIG, volume.TryWrite(file, Maximum, [1], out _));
        Assert.Equal(Errno.EFBIG, volume.TryWrite(file, ulong.MaxValue, [1], out _));
        Assert.Equal(Errno.Ok, volume.TryWrite(file, Maximum - 2, "1234"u8, out var written));
        Assert.Equal(2u, written);
        Assert.Equal(Errno.EFBIG, volume.Truncate(file, Maximum + 1));
        Assert.Equal(Errno.EFBIG, volume.Files.Allocate(TestVolume.Root, file, 0, Maximum - 1, 2, 0));
        Assert.Equal(Errno.EFBIG, volume.Files.Allocate(TestVolume.Root, file, 0, ulong.MaxValue, ulong.MaxValue, 0));
        Assert.Equal(Errno.Ok, volume.Files.Seek(file, 0, 0, 3, out var data));
        Assert.Equal(Maximum - 4096, data);
        Assert.Empty(volume.Read(file, ulong.MaxValue, 10));
        Assert.Equal(Errno.Ok, volume.Files.Allocate(TestVolume.Root, file, 0, 0, Maximum, 3));
        Assert.Equal(0UL, volume.Attributes(file).Blocks);
        volume.Write(file, Maximum - 3, "end"u8);
        Assert.Equal(Errno.Ok, volume.Truncate(file, 1));
        Assert.Equal((1UL, 0UL), (volume.Attributes(file).Size, volume.Attributes(file).Blocks));
        volume.AssertSound();
    }

    [Theory]
    [InlineData(2u), InlineData(4u), InlineData(8u), InlineData(0x20u), InlineData(0x12u)]
    public void Other_modes_of_fallocate_are_not_supported(uint mode)
    {
        using var volume = new TestVolume();
        var pool = volume.Pool();
        Assert.Equal(Errno.EOPNOTSUPP, volume.Files.Allocate(TestVolume.Root, volume.File(pool, "f"), 0, 0, 1, mode));
        Assert.Equal(Errno.EISDIR, volume.Files.Allocate(TestVolume.Root, pool, 0, 0, 1, 0));
    }

    [Fact]
    public void A_hole_larger_than_the_store_is_punched_at_once()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f");
        for (var page = 0UL; page < 3000; page++) volume.Write(file, page * 4096, TestVolume.Noise(300, 1));
        Assert.Equal(Errno.Ok, volume.Files.Allocate(TestVolume.Root, file, 0, 100, 2999 * 4096, 3));
        Assert.Equal(2UL * 8, volume.Attributes(file).Blocks);
        Assert.Equal(Errno.EINVAL, volume.Files.Seek(file, 0, 0, 0, out _));
        volume.AssertSound();
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(600_000L)]
    public void Without_room_a_write_is_refused_and_what_was_there_stays(long limit)
    {
        using var volume = new TestVolume(2 * TestVolume.Mebi);
        var pool = volume.Pool(limit: limit);
        var file = volume.File(pool, "f");
        var kept = 0;
        while (volume.TryWrite(file, (ulong)kept * 4096, TestVolume.Noise(4096, kept), out _) == Errno.Ok) kept++;
        Assert.InRange(kept, 50, 600);
        Assert.Equal((ulong)kept * 4096, volume.Attributes(file).Size);
        var refusals = 0;
        for (var page = 0; page < kept; page++)
        {
            // Neither a whole page nor a part of one may damage the old one.
            if (volume.TryWrite(file, (ulong)page * 4096, TestVolume.Noise(4096, 1000 + page), out _) == Errno.ENOSPC) refusals++;
            else volume.TryWrite(file, (ulong)page * 4096, TestVolume.Noise(4096, page), out _);
            volume.TryWrite(file, (ulong)page * 4096 + 5, TestVolume.Noise(4096, page).AsSpan(5, 10), out _);
        }
        // A pool at its limit may replace a page by one of the same size; a full store has no slot for the new one.
        if (limit == 0) Assert.True(refusals > 0);
        for (var page = 0; page < kept; page++)
        {
            var data = volume.Read(file, (ulong)page * 4096, 4096);
            Assert.True(data.AsSpan().SequenceEqual(TestVolume.Noise(4096, page))
                || data.AsSpan().SequenceEqual(TestVolume.Noise(4096, 1000 + page)));
        }
        // A long write stores what fits and reports how much.
        Assert.Equal(Errno.Ok, volume.Files.Allocate(TestVolume.Root, file, 0, (ulong)(kept - 10) * 4096, 10 * 4096, 3));
        Assert.Equal(Errno.Ok, volume.TryWrite(file, (ulong)(kept - 10) * 4096, TestVolume.Noise(40 * 4096, 7), out var written));
        Assert.True(written is > 0 and < 40 * 4096 && written % 4096 == 0);
        Assert.Equal(TestVolume.Noise(40 * 4096, 7).AsSpan(0, (int)written).ToArray(),
            volume.Read(file, (ulong)(kept - 10) * 4096, (int)written));
        Assert.Equal(Errno.Ok, volume.Unlink(pool, "f"));
        volume.AssertSound();
    }

    [Fact]
    public void A_file_shrinks_in_a_full_store_and_grows_with_zeros_once_there_is_room()
    {
        using var volume = new TestVolume(TestVolume.Mebi);
        var pool = volume.Pool();
        var file = volume.File(pool, "f");
        var old = TestVolume.Noise(4096, 1);
        Assert.Equal(Errno.Ok, volume.TryWrite(file, 0, old, out _));
        var ballast = volume.File(pool, "ballast");
        var page = 0UL;
        // Pages that do not shrink until none fits, then pages that shrink more and more, so that no gap of any size is left.
        for (var noise = 4096; noise >= 64; noise /= 2)
        {
            var data = new byte[4096];
            TestVolume.Noise(noise, 2).CopyTo(data, 0);
            while (volume.TryWrite(ballast, page * 4096, data, out _) == Errno.Ok) page++;
        }

        Assert.Equal(Errno.Ok, volume.Truncate(file, 2000));
        Assert.Equal(old.AsSpan(0, 2000).ToArray(), volume.Read(file, 0, 4096));
        Assert.Equal(Errno.ENOSPC, volume.Truncate(file, 5000));
        Assert.Equal(Errno.ENOSPC, volume.TryWrite(file, 3000, new byte[10], out _));
        Assert.Equal(Errno.ENOSPC, volume.Files.Allocate(TestVolume.Root, file, 0, 1000, 4000, 0x10));
        volume.Attach();
        Assert.Equal(old.AsSpan(0, 2000).ToArray(), volume.Read(file, 0, 4096));

        Assert.Equal(Errno.Ok, volume.Truncate(ballast, 0));
        Assert.Equal(Errno.Ok, volume.TryWrite(file, 3000, [9], out _));
        var expected = new byte[3001];
        old.AsSpan(0, 2000).CopyTo(expected);
        expected[3000] = 9;
        Assert.Equal(expected, volume.Read(file, 0, 4096));
        volume.AssertSound();
    }

    [Fact]
    public void Without_room_for_metadata_nothing_is_half_made()
    {
        using var volume = new TestVolume(TestVolume.Mebi);
        var pool = volume.Pool();
        var file = volume.File(pool, "ballast");
        for (var page = 0; volume.TryWrite(file, (ulong)page * 4096, TestVolume.Noise(4096, page), out _) == Errno.Ok; page++) { }
        var made = 0;
        while (volume.TryFile(pool, $"file {made}", out _) is var error)
        {
            if (error != Errno.Ok)
            {
                Assert.Equal(Errno.ENOSPC, error);
                break;
            }
            made++;
        }
        Assert.Equal(Errno.ENOSPC, volume.Files.SymbolicLink(TestVolume.Root, pool, "l"u8, new byte[4000], out _));
        Assert.Equal(Errno.ENOSPC, volume.SetAttribute(file, "user.a", new byte[30_000]));
        Assert.Equal(made + 1, volume.List(pool).Count);
        volume.AssertSound();
        Assert.Equal(Errno.Ok, volume.Truncate(file, 0));
        Assert.Equal(Errno.Ok, volume.TryFile(pool, "now", out _));
        volume.AssertSound();
    }

    [Fact]
    public void Statfs_says_what_is_there()
    {
        using var volume = new TestVolume();
        var limited = volume.Pool("l", limit: 8 << 20);
        Assert.Equal(Errno.Ok, volume.Files.GetFileSystem(NodeId.Root, out var all));
        Assert.Equal((4096u, 4096u, 255u, 16384UL), (all.Bsize, all.Frsize, all.NameLength, all.Blocks));
        Assert.InRange(all.Bfree, 1UL, all.Blocks);
        Assert.True(all.Bavail == all.Bfree && all.Files > all.Ffree);
        Assert.Equal(Errno.Ok, volume.Files.GetFileSystem(limited, out var before));
        Assert.Equal(2048UL, before.Blocks);
        volume.Write(volume.File(limited, "f"), 0, TestVolume.Noise(1 << 20, 1));
        Assert.Equal(Errno.Ok, volume.Files.GetFileSystem(limited, out var after));
        Assert.InRange(before.Bfree - after.Bfree, 256UL, 300UL);
    }

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.None)]
    public void The_data_path_allocates_nothing(PoolFlags kind)
    {
        using var volume = new TestVolume();
        var pool = volume.Pool(flags: kind);
        var file = volume.File(pool, "f");
        var data = TestVolume.Noise(64 * 1024, 1);
        var buffer = new byte[64 * 1024];
        Assert.Equal(0, Work(2000));
        // The least of three: on a busy machine the runtime may still prepare a rare path, once; allocations of the path itself
        // recur each time.
        var allocated = long.MaxValue;
        for (var round = 0; round < 3 && allocated != 0; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var failures = Work(20_000);
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(0, failures);
        }
        Assert.Equal(0, allocated);

        int Work(int rounds)
        {
            var failed = 0;
            for (var i = 0; i < rounds; i++)
            {
                var offset = (ulong)(i & 63) * 65536;
                if (i % 8 == 0 && (volume.TryWrite(file, offset, data, out var all) != Errno.Ok || all != data.Length)) failed++;
                if (i > 512 && volume.TryWrite(file, offset + 100, data.AsSpan(0, 5000), out _) != Errno.Ok
                    && kind == PoolFlags.Persistent) failed++;
                if (volume.Files.Read(file, 0, offset + 10, buffer, 0, out _) != Errno.Ok && kind == PoolFlags.Persistent)
                    failed++;
                if (volume.Files.GetAttributes(file, out _) != Errno.Ok) failed++;
                if (volume.Files.GetExtendedAttribute(file, "security.capability"u8, [], out _) != Errno.ENODATA) failed++;
                if (volume.Files.Lookup(TestVolume.Root, pool, "f"u8, out _) != Errno.Ok) failed++;
                if (i % 16 == 0 && volume.Files.Allocate(TestVolume.Root, file, 0, 1 << 20, 65536, 3) != Errno.Ok) failed++;
            }
            return failed;
        }
    }

    /// <summary>
    /// Two threads change different halves of one page as fast as they can, and each must find its own half as it wrote it.
    /// </summary>
    [Fact]
    public void Parts_of_one_page_written_at_once_are_both_there()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f", new byte[4096]);
        var lost = RunTogether(half => round => WriteAndCompare(volume, file, (ulong)half * 2048, 2048, round));
        Assert.Equal(0, lost);
        volume.AssertSound();
    }

    /// <summary>
    /// One thread replaces a whole page while another changes two bytes of it: the rest of the page is always the first one's.
    /// </summary>
    [Fact]
    public void A_whole_page_is_not_lost_to_a_change_of_a_part()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f", new byte[4096]);
        var lost = RunTogether(thread => thread == 1
            ? round => volume.TryWrite(file, 4090, [(byte)round, (byte)round], out _) == Errno.Ok
            : round => WriteAndCompare(volume, file, 0, 4096, round, compare: 4090));
        Assert.Equal(0, lost);
        volume.AssertSound();
    }

    /// <summary>
    /// One thread fills and punches a page while another changes two bytes of it: what was punched does not come back.
    /// </summary>
    [Fact]
    public void A_punched_page_does_not_come_back_with_a_change_of_a_part()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f", new byte[4096]);
        var page = TestVolume.Noise(4096, 1);
        var lost = RunTogether(thread => thread == 1
            ? round => volume.TryWrite(file, 4090, [(byte)round, (byte)round], out _) == Errno.Ok
            : round => volume.TryWrite(file, 0, page, out _) == Errno.Ok
                // Long enough for the other thread to have read the page and to be changing it.
                && volume.Read(file, 0, 4000).Length + volume.Read(file, 0, 4000).Length + volume.Read(file, 0, 4000).Length > 0
                && volume.Files.Allocate(TestVolume.Root, file, 0, 0, 4096, 3) == Errno.Ok
                && !volume.Read(file, 0, 4090).AsSpan().ContainsAnyExcept((byte)0));
        Assert.Equal(0, lost);
        volume.AssertSound();
    }

    private static bool WriteAndCompare(TestVolume volume, NodeId file, ulong offset, int length, int round,
        int compare = int.MaxValue)
    {
        var data = new byte[length];
        data.AsSpan().Fill((byte)round);
        if (volume.TryWrite(file, offset, data, out _) != Errno.Ok) return false;
        return !volume.Read(file, offset, Math.Min(length, compare)).AsSpan().ContainsAnyExcept((byte)round);
    }

    /// <summary>Runs two threads until both have finished their rounds, and counts the rounds that return false.</summary>
    private static int RunTogether(Func<int, Func<int, bool>> work)
    {
        const int Rounds = 20_000;
        var (failed, busy) = (0, 2);
        var threads = Enumerable.Range(0, 2).Select(number => new Thread(() =>
        {
            var step = work(number);
            for (var round = 1; round <= Rounds || Volatile.Read(ref busy) > 0; round++)
            {
                if (!step(round)) Interlocked.Increment(ref failed);
                if (round == Rounds) Interlocked.Decrement(ref busy);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return failed;
    }

    [Fact]
    public void Truncation_and_writes_at_once_leave_no_bytes_behind_the_end()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f");
        var stop = false;
        var writer = new Thread(() =>
        {
            var random = new Random(1);
            var data = TestVolume.Noise(20_000, 1);
            while (!Volatile.Read(ref stop))
                volume.Files.Write(TestVolume.Root, file, 0, (ulong)random.Next(40_000), data.AsSpan(0, random.Next(20_000)), 0,
                    out _, out _);
        });
        writer.Start();
        var random = new Random(2);
        for (var round = 0; round < 3000; round++) Assert.Equal(Errno.Ok, volume.Truncate(file, (ulong)random.Next(50_000)));
        Volatile.Write(ref stop, true);
        writer.Join();
        var size = volume.Attributes(file).Size;
        Assert.Equal(Errno.Ok, volume.Truncate(file, 100_000));
        Assert.False(volume.Read(file, size, 100_000).AsSpan().ContainsAnyExcept((byte)0));
        volume.AssertSound();
    }
}
