using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Modes and owners, and the privileges that end with changes of either.</summary>
public sealed class ModeTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public ModeTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
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
}
