using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Modes, owners, times, extended attributes.</summary>
public sealed class AttributeTests : IDisposable
{
    private const long Second = 1_000_000_000;
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public AttributeTests() => _pool = _volume.Pool();

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

    [Fact]
    public void A_set_group_id_directory_passes_its_group_on()
    {
        var directory = _volume.Directory(_pool, "d");
        Assert.Equal(Errno.Ok, _volume.Set(directory,
            new FuseSetattrIn { Valid = FuseSetattrValid.Gid | FuseSetattrValid.Mode, Gid = 77, Mode = 0x5FF }));
        Assert.Equal(Errno.Ok,
            _volume.Files.MakeNode(TestVolume.User, directory, "f"u8, InodeMode.Regular | 0x1A4, 0, out var file));
        Assert.Equal((1000u, 77u, 0x81A4u), (file.Attr.Uid, file.Attr.Gid, file.Attr.Mode));
        Assert.Equal(Errno.Ok, _volume.Files.MakeDirectory(TestVolume.User, directory, "e"u8, 0x1ED, out var inner));
        Assert.Equal((77u, 0x45EDu), (inner.Attr.Gid, inner.Attr.Mode));
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.User, _pool, "f"u8, InodeMode.Regular | 0x1A4, 0, out file));
        Assert.Equal(1000u, file.Attr.Gid);
    }

    [Theory]
    [InlineData(0xDEDu, 0u, 0x1EDu)] // 6755 -> 0755
    [InlineData(0xDE4u, 0u, 0x1E4u)] // 6744 -> 0744
    [InlineData(0xDE4u, 1000u, 0x5E4u)] // 6744 -> 2744: the group may not execute, so its bit stays for one of the group
    public void Privileges_end_when_the_contents_or_the_owner_change(uint before, uint group, uint after)
    {
        var file = _volume.File(_pool, "f");
        var user = TestVolume.User;
        Check(0, () => Assert.Equal(Errno.Ok, _volume.TryWrite(file, 0, [1], out _)), killed: false);
        Check(1, () => Assert.Equal(Errno.Ok, _volume.Files.Write(user, file, 0, 0, [1], 4, out _, out _)), killed: true);
        Check(2, () => Assert.Equal(Errno.Ok, _volume.Truncate(file, 0)), killed: false);
        Check(3,
            () =>
                Assert.Equal(Errno.Ok, _volume.Files.SetAttributes(user, file,
                    new FuseSetattrIn { Valid = FuseSetattrValid.Size | FuseSetattrValid.KillSuidGid }, out _)), killed: true);
        foreach (var mode in new[] { 3u, 0x10u, 0x11u })
        {
            Check(6, () => Assert.Equal(Errno.Ok, _volume.Files.Allocate(TestVolume.Root, file, 0, 0, 5000, mode)),
                killed: false);
            Check(7, () => Assert.Equal(Errno.Ok, _volume.Files.Allocate(user, file, 0, 0, 5000, mode)), killed: true);
        }
        Check(8,
            () =>
                Assert.Equal(Errno.Ok, _volume.Files.SetAttributes(user, file,
                    new FuseSetattrIn { Valid = FuseSetattrValid.Uid, Uid = 3 }, out _)), killed: true);
        Check(9,
            () =>
                Assert.Equal(Errno.Ok, _volume.Files.SetAttributes(user, file,
                    new FuseSetattrIn { Valid = FuseSetattrValid.Gid, Gid = 3 }, out _)), killed: true);

        void Check(int step, Action change, bool killed)
        {
            Assert.Equal(Errno.Ok, _volume.Set(file, new FuseSetattrIn { Valid = FuseSetattrValid.Gid, Gid = group }));
            Assert.Equal(Errno.Ok, _volume.Files.SetAttributes(TestVolume.Root, file,
                new FuseSetattrIn { Valid = FuseSetattrValid.Mode, Mode = before }, out var told));
            // The kernel must ask each time, or it would keep using them after a write, even when it executes the file.
            Assert.Equal(0UL, told.AttrValid);
            Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "security.capability", [1, 2, 3]));
            change();
            Assert.Equal((step, 0x8000 | (killed ? after : before)), (step, _volume.Attributes(file).Mode));
            Assert.Equal(Errno.ENODATA, _volume.GetAttribute(file, "security.capability", out _));
        }
    }

    [Fact]
    public void A_directory_keeps_its_bits_when_it_changes_hands()
    {
        var directory = _volume.Directory(_pool, "d");
        Assert.Equal(Errno.Ok, _volume.Set(directory, new FuseSetattrIn { Valid = FuseSetattrValid.Mode, Mode = 0xFED }));
        Assert.Equal(Errno.Ok,
            _volume.Set(directory, new FuseSetattrIn { Valid = FuseSetattrValid.Uid | FuseSetattrValid.Gid, Uid = 3, Gid = 4 }));
        var attributes = _volume.Attributes(directory);
        Assert.Equal((0x4FEDu, 3u, 4u), (attributes.Mode, attributes.Uid, attributes.Gid));
    }

    [Fact]
    public void Extended_attributes_are_stored_replaced_listed_and_removed()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(file, "user.a", out _));
        Assert.Equal(Errno.ENODATA, _volume.SetAttribute(file, "user.a", "1"u8, 2));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "1"u8, 1));
        Assert.Equal(Errno.EEXIST, _volume.SetAttribute(file, "user.a", "2"u8, 1));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "22"u8, 2));
        Assert.Equal(Errno.EINVAL, _volume.SetAttribute(file, "user.a", "22"u8, 4));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "trusted.b", default));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "security.c", "x"u8));
        Assert.Equal(["security.c", "trusted.b", "user.a"], _volume.AttributeNames(file).Order(StringComparer.Ordinal));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(file, "user.a", out var value));
        Assert.Equal("22"u8.ToArray(), value);
        Assert.Equal(Errno.Ok, _volume.Files.GetExtendedAttribute(file, "user.a"u8, [], out var length));
        Assert.Equal(2, length);
        Assert.Equal(Errno.ERANGE, _volume.Files.GetExtendedAttribute(file, "user.a"u8, new byte[1], out _));
        Assert.Equal(Errno.ERANGE, _volume.Files.ListExtendedAttributes(TestVolume.Root, file, new byte[10], out _));
        Assert.Equal(Errno.Ok, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, file, "trusted.b"u8));
        Assert.Equal(Errno.ENODATA, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, file, "trusted.b"u8));
        Assert.Equal(["security.c", "user.a"], _volume.AttributeNames(file).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Trusted_names_are_shown_to_root_alone()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "trusted.a", "1"u8));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "security.b", "1"u8));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.c", "1"u8));
        Assert.Equal(3, _volume.AttributeNames(file).Length);
        Assert.Equal(["security.b", "user.c"], _volume.AttributeNames(file, TestVolume.User).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Extended_attributes_have_limits_and_places()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", new byte[32_000]));
        Assert.Equal(Errno.E2BIG, _volume.SetAttribute(file, "user.a", new byte[32_001]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.b", new byte[32_000]));
        Assert.Equal(Errno.ENOSPC, _volume.SetAttribute(file, "user.c", new byte[32_000]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.b", new byte[31_999]));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.SetAttribute(file, "system.posix_acl_access", [1]));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.GetAttribute(file, "system.posix_acl_access", out _));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.SetAttribute(file, "other.a", [1]));
        Assert.Equal(Errno.ERANGE, _volume.SetAttribute(file, "user." + new string('n', 251), [1]));
        Assert.Equal(Errno.Ok, _volume.Files.SymbolicLink(TestVolume.Root, _pool, "l"u8, "f"u8, out var link));
        Assert.Equal(Errno.EPERM, _volume.SetAttribute(new NodeId(link.NodeId), "user.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(new NodeId(link.NodeId), "trusted.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(_pool, "user.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(NodeId.Root, "user.a", [1]));
    }

    [Theory]
    [InlineData("user."), InlineData("trusted."), InlineData("security.")]
    public void A_prefix_alone_is_no_name_of_an_extended_attribute(string name)
    {
        var file = _volume.File(_pool, "f");
        foreach (var node in (NodeId[])[file, _pool])
        {
            Assert.Equal(Errno.EINVAL, _volume.SetAttribute(node, name, "1"u8));
            Assert.Equal(Errno.EINVAL, _volume.GetAttribute(node, name, out _));
            Assert.Equal(Errno.EINVAL, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, node,
                System.Text.Encoding.UTF8.GetBytes(name)));
            Assert.DoesNotContain(name, _volume.AttributeNames(node));
        }
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, name + "a", "1"u8));
    }

    [Fact]
    public void A_pool_tells_what_it_is()
    {
        var ephemeral = _volume.Pool("e", PoolFlags.None, 1 << 20);
        var id = _volume.Files.Pools().Single(pool => pool.Name == "e").Id;
        string[] names = ["user.tmem.kind", "user.tmem.limit", "user.tmem.codec", "user.tmem.page_size", "user.tmem.pool"];
        Assert.Equal(names, _volume.AttributeNames(ephemeral));
        Assert.Equal(["ephemeral", "1048576", "lz4", "4096", id.Value.ToString()], names.Select(Text));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(_pool, "user.tmem.kind", out var kind));
        Assert.Equal("persistent"u8.ToArray(), kind);
        Assert.Equal(Errno.Ok, _volume.GetAttribute(_pool, "user.tmem.limit", out var limit));
        Assert.Equal("none"u8.ToArray(), limit);
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(_pool, "user.tmem.colour", out _));
        Assert.Equal(Errno.EPERM, _volume.SetAttribute(_pool, "user.tmem.limit", "5"u8));
        Assert.Equal(Errno.EPERM, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, _pool, "user.tmem.kind"u8));
        var inner = _volume.Directory(_pool, "d");
        Assert.Empty(_volume.AttributeNames(inner));
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(inner, "user.tmem.kind", out _));

        string Text(string name)
        {
            Assert.Equal(Errno.Ok, _volume.GetAttribute(ephemeral, name, out var value));
            return System.Text.Encoding.UTF8.GetString(value);
        }
    }
}
