using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Size, holes and where data is, beside other work on the file: reports of holes, promises of room, and work in steps.
/// </summary>
public sealed class ExtentTests : IDisposable
{
    private const int Page = TestVolume.Page;
    private const uint SeekData = 3;
    private const uint SeekHole = 4;
    private const uint ReadOnly = 0;
    private const uint WriteOnly = 1;
    private const uint ReadWrite = 2;

    private readonly TestVolume _volume = new(256 * TestVolume.Mebi);
    private readonly NodeId _pool;

    public ExtentTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private ulong Seek(NodeId file, ulong offset, uint whence)
    {
        Assert.Equal(Errno.Ok, _volume.Files.Seek(file, 0, offset, whence, out var found));
        return found;
    }

    private ulong Open(NodeId file, uint flags)
    {
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.User, file, flags, 0, out var open));
        return open.Fh;
    }

    private void Release(NodeId file, ulong handle) => _volume.Files.Release(TestVolume.User, file, handle);

    private NodeId Dense(string name, int pages)
    {
        var file = _volume.File(_pool, name);
        var data = new byte[64 * Page];
        for (var at = 0; at < pages; at += 64)
        {
            // A word for each page that tells it from the others; same-filled pages would lie in the index alone.
            for (var page = 0; page < 64; page++) BitConverter.TryWriteBytes(data.AsSpan(page * Page + 8), at + page + 1);
            _volume.Write(file, (ulong)at * Page, data.AsSpan(0, Math.Min(64, pages - at) * Page));
        }
        return file;
    }

    /// <summary>
    /// A file that is open for reading and writing may be mapped, and then the kernel has newer data than the store; a copy by
    /// its holes would lose it. A file that is open for writing alone cannot be mapped.
    /// </summary>
    [Theory]
    [InlineData(ReadWrite)]
    [InlineData(ReadWrite | 0x4000)] // O_DIRECT: may be mapped too
    public void No_holes_are_told_of_while_the_file_may_be_mapped_for_writing(uint flags)
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 8 * Page));
        _volume.Write(file, 4 * Page, new byte[Page]);
        var reader = Open(file, ReadOnly);
        var writer = Open(file, WriteOnly);
        Assert.Equal((4UL * Page, 0UL), (Seek(file, 0, SeekData), Seek(file, 0, SeekHole)));
        var (one, two) = (Open(file, flags), Open(file, flags));
        CheckNone();
        _volume.Attach();
        CheckNone();
        Release(file, one);
        CheckNone();
        _volume.Attach();
        Release(file, reader);
        Release(file, writer);
        CheckNone();
        Release(file, two);
        Assert.Equal((4UL * Page, 0UL), (Seek(file, 0, SeekData), Seek(file, 0, SeekHole)));
        Open(file, flags);
        _volume.Files.DropKernelReferences();
        Assert.Equal(0UL, Seek(_volume.Find(_pool, "f"), 0, SeekHole));

        void CheckNone()
        {
            Assert.Equal((0UL, 8UL * Page), (Seek(file, 0, SeekData), Seek(file, 0, SeekHole)));
            Assert.Equal((5000UL, 8UL * Page), (Seek(file, 5000, SeekData), Seek(file, 5000, SeekHole)));
            Assert.Equal(Errno.ENXIO, _volume.Files.Seek(file, 0, 8 * Page, SeekData, out _));
        }
    }

    /// <summary>GNU tar takes a file with a length and no blocks for zeros, and does not read it.</summary>
    [Fact]
    public void A_file_open_for_writing_has_a_block()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(0UL, _volume.Attributes(file).Blocks);
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 8 * Page));
        Assert.Equal(Errno.Ok, _volume.Files.GetAttributes(file, out var told));
        // Without blocks, and with a validity that makes the kernel ask again once another may write.
        Assert.Equal((0UL, 0UL), (told.Attr.Blocks, told.AttrValid));
        var writer = Open(file, ReadWrite);
        Assert.Equal(Errno.Ok, _volume.Files.GetAttributes(file, out told));
        Assert.Equal((8UL, 0UL), (told.Attr.Blocks, told.AttrValid));
        Release(file, writer);
        Assert.Equal(0UL, _volume.Attributes(file).Blocks);
    }

    [Fact]
    public void Holes_are_found_behind_many_pages_and_across_them()
    {
        var file = Dense("f", 20_000);
        Assert.Equal(20_000UL * Page, Seek(file, 0, SeekHole));
        foreach (var hole in new[] { 19_999UL, 12_345UL, 8_192UL, 64UL, 63UL, 0UL })
        {
            Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, file, 0, hole * Page, Page, 3));
            Assert.Equal(hole * Page, Seek(file, 0, SeekHole));
            Assert.Equal(hole * Page + 5, Seek(file, hole * Page + 5, SeekHole));
            if (hole > 0) Assert.Equal(hole * Page, Seek(file, hole * Page - 1, SeekHole));
            // Page 64 was taken away before page 63.
            if (hole is 63 or 19_999) continue;
            Assert.Equal((hole + 1) * Page, Seek(file, hole * Page, SeekData));
        }
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 1UL << 43));
        Assert.Equal(19_999UL * Page, Seek(file, 13_000UL * Page, SeekHole));
        Assert.Equal(20_000UL * Page, Seek(file, 20_000UL * Page, SeekHole));
        Assert.Equal(Errno.ENXIO, _volume.Files.Seek(file, 0, 20_000UL * Page, SeekData, out _));
    }

    /// <summary>
    /// Room that is not reserved is promised to nobody, and what could never fit is refused before anything is written.
    /// </summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    public void Fallocate_promises_nothing(uint mode)
    {
        var pool = _volume.Pool("limited", limit: 1 << 20);
        var file = _volume.File(pool, "f");
        Assert.Equal(Errno.EOPNOTSUPP, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 1, mode));
        // A same-filled page takes a word of the index, so a mebibyte holds half a gibibyte of them and no more.
        Assert.Equal(Errno.EOPNOTSUPP, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 512UL << 20, mode));
        Assert.Equal(Errno.ENOSPC, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 513UL << 20, mode));
        Assert.Equal(Errno.ENOSPC, _volume.Files.Allocate(TestVolume.Root, file, 0, 100, 1UL << 43, mode));
        var free = _volume.File(_pool, "f");
        Assert.Equal(Errno.EOPNOTSUPP, _volume.Files.Allocate(TestVolume.Root, free, 0, 0, 128UL << 30, mode));
        Assert.Equal(Errno.ENOSPC, _volume.Files.Allocate(TestVolume.Root, free, 0, 0, 129UL << 30, mode));
        Assert.Equal(TmemStatus.Ok, _volume.Client.Configure(new ClientOptions { LimitBytes = 1 << 20 }));
        Assert.Equal(Errno.ENOSPC, _volume.Files.Allocate(TestVolume.Root, free, 0, 0, 513UL << 20, mode));
        Assert.Equal((0UL, 0UL), (_volume.Attributes(file).Size, _volume.Attributes(file).Blocks));
    }

    /// <summary>
    /// A truncation of many steps beside writers that make the file grow again: nothing that was cut off comes back, and nothing
    /// written after it is lost.
    /// </summary>
    [Fact]
    public void What_was_cut_off_in_steps_does_not_come_back()
    {
        const int Pages = 12_000;
        var lost = 0;
        var resurrected = 0;
        for (var round = 0; round < 6; round++)
        {
            var file = Dense($"f{round}", Pages);
            var mark = TestVolume.Noise(10, round);
            using var started = new Barrier(2);
            var grower = new Thread(() =>
            {
                started.SignalAndWait();
                while (_volume.Attributes(file).Size == (ulong)Pages * Page) { }
                // Most times while the rest is still being dropped.
                _volume.Write(file, (ulong)(Pages - 50) * Page + 100, mark);
            });
            grower.Start();
            started.SignalAndWait();
            Assert.Equal(Errno.Ok, _volume.Truncate(file, 5000));
            grower.Join();
            Assert.Equal((ulong)(Pages - 50) * Page + 110, _volume.Attributes(file).Size);
            if (!_volume.Read(file, (ulong)(Pages - 50) * Page + 100, 10).AsSpan().SequenceEqual(mark)) lost++;
            for (var page = 2; page < Pages - 50; page += 7)
                if (_volume.Read(file, (ulong)page * Page, Page).AsSpan().ContainsAnyExcept((byte)0)) resurrected++;
            if (_volume.Read(file, 5000, 3000).AsSpan().ContainsAnyExcept((byte)0)) resurrected++;
            Assert.Equal(Errno.Ok, _volume.Unlink(_pool, $"f{round}"));
        }
        Assert.Equal((0, 0), (lost, resurrected));
    }

    /// <summary>Others read and write the file, and files beside it, while much of it is truncated and punched.</summary>
    [Fact]
    public void A_large_hole_and_a_truncation_give_way()
    {
        const int Pages = 30_000;
        var file = Dense("f", Pages);
        var (stop, served, wrong, steps) = (false, 0, 0, 0);
        _volume.Files.BeforeStep = () =>
        {
            // Long enough for the other thread to wait when the step ends, on a busy machine too.
            steps++;
            Thread.Sleep(2);
        };
        var other = new Thread(() =>
        {
            var data = TestVolume.Noise(Page, 5);
            for (var round = 0; !Volatile.Read(ref stop); round++)
            {
                _volume.Write(file, (ulong)(round % 8) * Page, data);
                if (!_volume.Read(file, (ulong)(round % 8) * Page, Page).AsSpan().SequenceEqual(data)) wrong++;
                Volatile.Write(ref served, served + 1);
            }
        });
        other.Start();
        while (Volatile.Read(ref served) < 8) Thread.Yield();
        var before = Volatile.Read(ref served);
        Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, file, 0, 100 * Page + 5, (ulong)(Pages / 2) * Page, 3));
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 60 * Page));
        var during = Volatile.Read(ref served) - before;
        Volatile.Write(ref stop, true);
        other.Join();
        // 14 or more steps of each, and a waiting thread gets the lock between two of them.
        Assert.InRange(steps, 28, 40);
        Assert.InRange(during, 5, int.MaxValue);
        Assert.Equal((0, 60UL * 8), (wrong, _volume.Attributes(file).Blocks));
    }

    /// <summary>Files of different pools share no lock: no user's file can hold up the swap file.</summary>
    [Fact]
    public void Files_of_two_pools_share_no_lock()
    {
        var locks = new StripedLocks(LockRank.File, 4, 64);
        var seen = new Dictionary<int, uint>();
        for (var pool = 0u; pool < 1024; pool++)
        {
            for (var file = 0UL; file < 50; file++)
            {
                var stripe = locks.Stripe(pool | 5 << 10, file, 0);
                Assert.Equal(pool, seen.GetValueOrDefault(stripe, pool));
                seen[stripe] = pool;
            }
        }
    }
}
