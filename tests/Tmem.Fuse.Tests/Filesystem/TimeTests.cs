using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Times of files: as they are set, and as contents and names change.</summary>
public sealed class TimeTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public TimeTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private FuseAttr Old(NodeId node)
    {
        Assert.Equal(Errno.Ok, _volume.Set(node, new FuseSetattrIn
        {
            Valid = FuseSetattrValid.Atime | FuseSetattrValid.Mtime
                | FuseSetattrValid.Ctime, Atime = 100, Mtime = 200, Ctime = 300,
        }));
        return _volume.Attributes(node);
    }

    private (bool Modified, bool Changed) Since(NodeId node)
    {
        var now = _volume.Attributes(node);
        Assert.Equal(100UL, now.Atime);
        return (now.Mtime != 200, now.Ctime != 300);
    }

    [Fact]
    public void Times_are_set_to_the_nanosecond()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn
        {
            Valid = FuseSetattrValid.Atime | FuseSetattrValid.Mtime, Atime = 4_294_967_296, AtimeNsec = 1, Mtime =
                unchecked((ulong)-5L), MtimeNsec = 999_999_999,
        }));
        var attributes = _volume.Attributes(file);
        Assert.Equal((4_294_967_296UL, 1u), (attributes.Atime, attributes.AtimeNsec));
        Assert.Equal((-5L, 999_999_999u), ((long)attributes.Mtime, attributes.MtimeNsec));
        var before = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn
        {
            Valid = FuseSetattrValid.Atime | FuseSetattrValid.AtimeNow | FuseSetattrValid.Mtime | FuseSetattrValid.MtimeNow,
        }));
        attributes = _volume.Attributes(file);
        Assert.True(attributes.Atime >= before && attributes.Mtime >= before && attributes.Ctime >= before);
    }

    [Theory]
    [InlineData(0, 0u), InlineData(0, 999_999_999u), InlineData(-1, 1u), InlineData(4_294_967_296, 5u),
        InlineData(9_223_372_037, 6u)]
    // The first and the last second that keep fractions, in 1901 and 2446, and their neighbours.
    [InlineData(-2_147_483_648, 7u), InlineData(15_032_385_535, 999_999_999u), InlineData(-2_147_483_649, 0u),
        InlineData(15_032_385_536, 0u)]
    [InlineData((1L << 59) - 1, 0u), InlineData(-(1L << 59), 0u), InlineData(-10_000_000_000, 0u), InlineData(1L << 40, 0u)]
    public void Times_are_held_as_they_were_set(long seconds, uint nanoseconds)
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn
        {
            Valid = FuseSetattrValid.Atime | FuseSetattrValid.Mtime,
            Atime = (ulong)seconds, AtimeNsec = nanoseconds, Mtime = (ulong)seconds, MtimeNsec = nanoseconds,
        }));
        var attributes = _volume.Attributes(file);
        Assert.Equal((seconds, nanoseconds), ((long)attributes.Atime, attributes.AtimeNsec));
        Assert.Equal((seconds, nanoseconds), ((long)attributes.Mtime, attributes.MtimeNsec));
    }

    [Fact]
    public void Far_times_are_held_in_whole_seconds_and_those_of_no_world_are_refused()
    {
        var file = _volume.File(_pool, "f");
        Old(file);
        Assert.Equal(Errno.Ok,
            _volume.Set(file, new FuseSetattrIn { Valid = FuseSetattrValid.Mtime, Mtime = 20_000_000_000, MtimeNsec = 5 }));
        Assert.Equal((20_000_000_000UL, 0u), (_volume.Attributes(file).Mtime, _volume.Attributes(file).MtimeNsec));
        var before = _volume.Attributes(file);
        foreach (var seconds in new[] { 1UL << 59, (ulong)long.MaxValue, 1UL << 63, unchecked((ulong)(-(1L << 59) - 1)) })
        {
            Assert.Equal(Errno.EINVAL, _volume.Set(file, new FuseSetattrIn { Valid = FuseSetattrValid.Atime, Atime = seconds }));
            Assert.Equal(Errno.EINVAL, _volume.Set(file,
                new FuseSetattrIn { Valid = FuseSetattrValid.Mtime | FuseSetattrValid.Size, Mtime = seconds, Size = 7 }));
        }
        Assert.Equal(before, _volume.Attributes(file));
    }

    /// <summary>
    /// What was written to a mapping before the time was set reaches the file afterwards: the time stays as set.
    /// </summary>
    [Fact]
    public void A_time_that_was_set_outlives_what_is_written_back_from_a_mapping()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.User, file, 2, 0, out var open));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 0, new byte[4096], out _, flags: FromMapping));
        Assert.NotEqual(200UL, _volume.Attributes(file).Mtime);
        Assert.Equal(Deferral.TimeSet(file), SetModified(file));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 4096, new byte[4096], out _, flags: FromMapping));
        Assert.Equal(200UL, _volume.Attributes(file).Mtime);
        _volume.Attach();
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 8192, new byte[4096], out _, flags: FromMapping));
        Assert.Equal(200UL, _volume.Attributes(file).Mtime);
        // A write by name counts as one of now, and so does what is mapped after it.
        _volume.Write(file, 0, "x"u8);
        Assert.NotEqual(200UL, _volume.Attributes(file).Mtime);
        Assert.Equal(Deferral.TimeSet(file), SetModified(file));
        // Nothing in a mapping can be older than the mapping, if it was made after the last handle was gone.
        _volume.Files.Release(TestVolume.User, file, open.Fh);
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.User, file, 2, 0, out open));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 0, new byte[4096], out _, flags: FromMapping));
        Assert.NotEqual(200UL, _volume.Attributes(file).Mtime);
        _volume.Files.Release(TestVolume.User, file, open.Fh);
    }

    private const uint FromMapping = 1;

    private Deferral SetModified(NodeId file, FuseSetattrValid also = 0)
    {
        var change = new FuseSetattrIn { Valid = FuseSetattrValid.Mtime | also, Mtime = 200, Size = 4096 };
        Assert.Equal(Errno.Ok, _volume.Files.SetAttributes(TestVolume.Root, file, change, out _, out var deferral));
        return deferral;
    }

    /// <summary>Once the kernel has written back what was older, what it writes back is newer.</summary>
    [Fact]
    public void A_time_that_was_set_ends_with_what_is_written_to_a_mapping_after_it()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.User, file, 2, 0, out var open));
        // The kernel can write nothing back of what it does not cache.
        Assert.Equal(default, SetModified(file));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 0, new byte[4096], out _, flags: FromMapping));
        Assert.NotEqual(200UL, _volume.Attributes(file).Mtime);
        var deferral = SetModified(file);
        Assert.Equal(Deferral.TimeSet(file), deferral);
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 4096, new byte[4096], out _, flags: FromMapping));
        Assert.Equal(Errno.Ok, _volume.Files.Conclude(in deferral, out var told));
        Assert.Equal((200UL, 8192UL), (told.Attr.Mtime, told.Attr.Size));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 4096, new byte[4096], out _, flags: FromMapping));
        Assert.NotEqual(200UL, _volume.Attributes(file).Mtime);
        // While a size is set the kernel writes nothing back: the reply must not wait for it.
        Assert.Equal(default, SetModified(file, FuseSetattrValid.Size));
        Assert.Equal(Errno.Ok, _volume.TryWrite(file, 0, new byte[4096], out _, flags: FromMapping));
        Assert.Equal(200UL, _volume.Attributes(file).Mtime);
        _volume.Files.Release(TestVolume.User, file, open.Fh);
        // A handle that cannot be mapped for writing, as programs that unpack and copy have, costs nothing.
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.User, file, 1, 0, out open));
        _volume.Write(file, 0, "x"u8);
        Assert.Equal(default, SetModified(file));
        _volume.Files.Release(TestVolume.User, file, open.Fh);
    }

    [Fact]
    public void What_changes_the_contents_is_seen_in_the_times()
    {
        var file = _volume.File(_pool, "f", "0123456789"u8);
        foreach (var (change, modifies) in new (Action Change, bool Modifies)[]
        {
            (() => _volume.Write(file, 0, "x"u8), true),
            (() => Assert.Equal(Errno.Ok, _volume.Truncate(file, 5)), true),
            (() => Assert.Equal(Errno.Ok, _volume.Truncate(file, 5)), true),
            (() => Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 100, 0x10)), true),
            (() => Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 100, 3)), true),
            (() => Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn { Valid = FuseSetattrValid.Mode, Mode = 0x180 })),
                false),
            (() => Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn { Valid = FuseSetattrValid.Uid, Uid = 5 })), false),
            (() => Assert.Equal(Errno.Ok, _volume.Link(file, _pool, "g")), false),
            (() => Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "g")), false),
            (() => Assert.Equal(Errno.Ok, _volume.Rename(_pool, "f", _pool, "h")), false),
            (() => Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "1"u8)), false),
            (() => Assert.Equal(Errno.Ok, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, file, "user.a"u8)), false),
        })
        {
            Old(file);
            change();
            Assert.Equal((modifies, true), Since(file));
        }
        Old(file);
        _volume.Read(file, 0, 10);
        Assert.Equal((false, false), Since(file));
    }

    [Fact]
    public void What_changes_the_names_is_seen_in_the_directorys_times()
    {
        var directory = _volume.Directory(_pool, "d");
        foreach (var change in new Action[]
        {
            () => _volume.File(directory, "f"),
            () => _volume.Directory(directory, "e"),
            () => Assert.Equal(Errno.Ok, _volume.Link(_volume.Find(directory, "f"), directory, "g")),
            () => Assert.Equal(Errno.Ok, _volume.Unlink(directory, "g")),
            () => Assert.Equal(Errno.Ok, _volume.Rename(directory, "f", directory, "h")),
            () => Assert.Equal(Errno.Ok, _volume.Rename(directory, "h", _pool, "h")),
            () => Assert.Equal(Errno.Ok, _volume.Rename(_pool, "h", directory, "h")),
            () => Assert.Equal(Errno.Ok, _volume.RemoveDirectory(directory, "e")),
        })
        {
            Old(directory);
            change();
            Assert.Equal((true, true), Since(directory));
        }
    }
}
