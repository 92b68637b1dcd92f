using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Files in ephemeral pools: a missing page is an error, never zeros.</summary>
public sealed class EphemeralTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;
    private readonly NodeId _file;
    private readonly byte[] _data = TestVolume.Noise(4 * TestVolume.Page + 100, 1);

    public EphemeralTests()
    {
        _pool = _volume.Pool("e", PoolFlags.None);
        _file = _volume.File(_pool, "f", _data);
    }

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private void Lose(uint page) =>
        Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, _file, 0, page * 4096UL, 4096, 3));

    [Fact]
    public void A_read_does_not_consume()
    {
        Assert.Equal(_data, _volume.Read(_file, 0, 50_000));
        Assert.Equal(_data, _volume.Read(_file, 0, 50_000));
    }

    [Fact]
    public void A_read_that_touches_a_lost_page_fails_as_a_whole()
    {
        Lose(2);
        Assert.Equal(Errno.ENODATA, _volume.TryRead(_file, 0, 50_000, out _));
        Assert.Equal(Errno.ENODATA, _volume.TryRead(_file, 3 * 4096 - 1, 2, out _));
        Assert.Equal(_data[..8192], _volume.Read(_file, 0, 8192));
        Assert.Equal(_data[(3 * 4096)..], _volume.Read(_file, 3 * 4096, 50_000));
    }

    [Fact]
    public void What_was_never_written_is_lost_too()
    {
        Assert.Equal(Errno.Ok, _volume.Truncate(_file, 8 * 4096));
        Assert.Equal(Errno.ENODATA, _volume.TryRead(_file, 6 * 4096, 1, out _));
        // The old last page was there, and is zero behind its old end.
        Assert.Equal(new byte[3996], _volume.Read(_file, 4 * 4096 + 100, 3996));
        Assert.Equal(Errno.Ok, _volume.Truncate(_file, 10 * 4096));
        Assert.Equal(10UL * 4096, _volume.Attributes(_file).Size);
        Assert.Equal(Errno.ENODATA, _volume.TryRead(_file, 9 * 4096, 1, out _));
    }

    [Fact]
    public void A_part_of_a_lost_page_cannot_be_written_unless_it_is_all_there_was()
    {
        Lose(1);
        Assert.Equal(Errno.ENODATA, _volume.TryWrite(_file, 4096 + 5, [1, 2], out _));
        Assert.Equal(Errno.ENODATA, _volume.TryWrite(_file, 4096, new byte[4095], out _));
        _volume.Write(_file, 4096, _data.AsSpan(4096, 4096));
        Assert.Equal(_data, _volume.Read(_file, 0, 50_000));
        // Only 100 bytes of the last page count.
        Lose(4);
        Assert.Equal(Errno.ENODATA, _volume.TryWrite(_file, 4 * 4096, new byte[99], out _));
        Assert.Equal(Errno.ENODATA, _volume.TryWrite(_file, 4 * 4096 + 100, new byte[5], out _));
        _volume.Write(_file, 4 * 4096, _data.AsSpan(4 * 4096, 100));
        Assert.Equal(_data, _volume.Read(_file, 0, 50_000));
        // A page beyond the end has nothing to lose.
        _volume.Write(_file, 6 * 4096 + 10, [7]);
        Assert.Equal(7, _volume.Read(_file, 6 * 4096, 100)[10]);
    }

    [Fact]
    public void A_long_write_stops_at_a_lost_page()
    {
        Lose(2);
        Assert.Equal(Errno.Ok, _volume.TryWrite(_file, 4096, _data.AsSpan(4096, 5000), out var written));
        Assert.Equal(4096u, written);
    }

    [Fact]
    public void Seek_reports_no_holes()
    {
        Lose(0);
        Lose(2);
        Assert.Equal(Errno.Ok, _volume.Files.Seek(_file, 0, 5, 3, out var data));
        Assert.Equal(5UL, data);
        Assert.Equal(Errno.Ok, _volume.Files.Seek(_file, 0, 5, 4, out var hole));
        Assert.Equal((ulong)_data.Length, hole);
        Assert.Equal(Errno.ENXIO, _volume.Files.Seek(_file, 0, (ulong)_data.Length, 3, out _));
    }

    /// <summary>GNU tar takes a file with a length and no blocks for zeros, and does not read it.</summary>
    [Fact]
    public void A_file_that_has_lost_all_its_pages_still_has_a_block()
    {
        Assert.Equal(5UL * 8, _volume.Attributes(_file).Blocks);
        for (var page = 0u; page < 5; page++) Lose(page);
        Assert.Equal(8UL, _volume.Attributes(_file).Blocks);
        Assert.Equal(Errno.Ok, _volume.Truncate(_file, 0));
        Assert.Equal(0UL, _volume.Attributes(_file).Blocks);
    }

    [Fact]
    public void A_punched_part_is_zero_and_a_punched_page_is_lost()
    {
        Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, _file, 0, 100, 4096, 3));
        Assert.Equal(_data[..100], _volume.Read(_file, 0, 100));
        Assert.Equal(new byte[4096], _volume.Read(_file, 100, 4096));
        Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, _file, 0, 100, 8192, 3));
        Assert.Equal(Errno.ENODATA, _volume.TryRead(_file, 4096, 10, out _));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.Files.Allocate(TestVolume.Root, _file, 0, 0, 4096, 0x10));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.Files.Allocate(TestVolume.Root, _file, 0, 0, 4096, 0x11));
    }

    [Fact]
    public void Evicted_pages_read_as_lost_and_the_rest_as_written()
    {
        using var volume = new TestVolume(2 * TestVolume.Mebi);
        var pool = volume.Pool("e", PoolFlags.None);
        var file = volume.File(pool, "f");
        const int Pages = 1500;
        for (var page = 0; page < Pages; page++) volume.Write(file, (ulong)page * 4096, TestVolume.Noise(4096, page));
        var (lost, kept) = (0, 0);
        for (var page = 0; page < Pages; page++)
        {
            var error = volume.TryRead(file, (ulong)page * 4096, 4096, out var data);
            if (error == Errno.ENODATA)
            {
                lost++;
                continue;
            }
            Assert.Equal(Errno.Ok, error);
            Assert.Equal(TestVolume.Noise(4096, page), data);
            kept++;
        }
        Assert.True(lost > 100 && kept > 100, $"{lost} lost, {kept} kept");
        Assert.Equal((ulong)kept * 8, volume.Attributes(file).Blocks);
        volume.AssertSound();
    }

    [Fact]
    public void The_kernel_keeps_no_pages_of_them()
    {
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, _file, 0, 0, out var open));
        Assert.Equal(FuseOpenFlags.DirectIo | FuseOpenFlags.ParallelDirectWrites, open.OpenFlags);
        var persistent = _volume.File(_volume.Pool(), "f");
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, persistent, 0, 0, out open));
        Assert.Equal(FuseOpenFlags.KeepCache, open.OpenFlags);
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, persistent, 0x4000, 0, out open));
        Assert.Equal(FuseOpenFlags.DirectIo | FuseOpenFlags.ParallelDirectWrites, open.OpenFlags);
    }
}
