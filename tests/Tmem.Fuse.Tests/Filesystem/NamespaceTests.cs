using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Names: the answers that POSIX and Linux expect, one by one.</summary>
public sealed class NamespaceTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public NamespaceTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    [Fact]
    public void The_first_level_is_pools_alone()
    {
        Assert.Equal(Errno.EPERM, _volume.TryFile(NodeId.Root, "f", out _));
        Assert.Equal(Errno.EPERM, _volume.Files.SymbolicLink(TestVolume.Root, NodeId.Root, "l"u8, "x"u8, out _));
        Assert.Equal(Errno.EPERM, _volume.Files.Create(TestVolume.Root, NodeId.Root, "f"u8, 0, 0x1A4, 0, out _, out _));
        var file = _volume.File(_pool, "f");
        var directory = _volume.Directory(_pool, "d");
        Assert.Equal(Errno.EPERM, _volume.Link(file, NodeId.Root, "f"));
        Assert.Equal(Errno.EPERM, _volume.Rename(_pool, "f", NodeId.Root, "f"));
        Assert.Equal(Errno.EPERM, _volume.Rename(_pool, "d", NodeId.Root, "d"));
        Assert.Equal(Errno.EPERM, _volume.Rename(NodeId.Root, "p", directory, "p"));
        Assert.Equal(Errno.EISDIR, _volume.Unlink(NodeId.Root, "p"));
    }

    [Fact]
    public void A_pool_can_be_called_another_name_but_replaces_none()
    {
        var other = _volume.Pool("q");
        Assert.Equal(Errno.EEXIST, _volume.Rename(NodeId.Root, "p", NodeId.Root, "q"));
        Assert.Equal(Errno.Ok, _volume.Rename(NodeId.Root, "p", NodeId.Root, "r"));
        Assert.Equal(_pool, _volume.Find(NodeId.Root, "r"));
        Assert.Equal(["q", "r"], _volume.Files.Pools().Select(pool => pool.Name));
        Assert.Equal(Errno.Ok, _volume.Rename(NodeId.Root, "r", NodeId.Root, "q", 2));
        Assert.Equal((other, _pool), (_volume.Find(NodeId.Root, "r"), _volume.Find(NodeId.Root, "q")));
    }

    [Fact]
    public void Nothing_crosses_pools()
    {
        var other = _volume.Pool("q");
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.EXDEV, _volume.Link(file, other, "f"));
        Assert.Equal(Errno.EXDEV, _volume.Rename(_pool, "f", other, "f"));
    }

    [Fact]
    public void Making_a_pool_directory_makes_a_pool_and_removing_it_ends_it()
    {
        var before = _volume.Client.Pools().Count;
        var made = _volume.Directory(NodeId.Root, "made");
        Assert.Equal(before + 1, _volume.Client.Pools().Count);
        _volume.File(made, "f");
        Assert.Equal(Errno.ENOTEMPTY, _volume.RemoveDirectory(NodeId.Root, "made"));
        Assert.Equal(Errno.Ok, _volume.Unlink(made, "f"));
        Assert.Equal(Errno.Ok, _volume.RemoveDirectory(NodeId.Root, "made"));
        Assert.Equal(before, _volume.Client.Pools().Count);
    }

    [Fact]
    public void A_directory_has_a_link_for_itself_and_each_directory_in_it()
    {
        Assert.Equal(3u, _volume.Attributes(NodeId.Root).Nlink);
        var directory = _volume.Directory(_pool, "d");
        _volume.Directory(directory, "e");
        _volume.File(directory, "f");
        Assert.Equal(3u, _volume.Attributes(directory).Nlink);
        Assert.Equal(Errno.Ok, _volume.Rename(directory, "e", _pool, "e"));
        Assert.Equal((2u, 4u), (_volume.Attributes(directory).Nlink, _volume.Attributes(_pool).Nlink));
    }

    [Fact]
    public void The_parent_of_a_moved_directory_follows()
    {
        var from = _volume.Directory(_pool, "from");
        var to = _volume.Directory(_pool, "to");
        var moved = _volume.Directory(from, "moved");
        Assert.Equal(from.Value, _volume.ListFrom(moved, 0)[1].Inode);
        Assert.Equal(Errno.Ok, _volume.Rename(from, "moved", to, "moved"));
        Assert.Equal(to.Value, _volume.ListFrom(moved, 0)[1].Inode);
        Assert.Equal(1UL, _volume.ListFrom(_pool, 0)[1].Inode);
    }

    [Fact]
    public void Rename_answers_what_rename_answers()
    {
        var a = _volume.Directory(_pool, "a");
        var b = _volume.Directory(a, "b");
        var file = _volume.File(_pool, "f");
        _volume.File(b, "inner");
        _volume.Directory(_pool, "empty");
        Assert.Equal(Errno.EINVAL, _volume.Rename(_pool, "a", b, "x"));
        Assert.Equal(Errno.EINVAL, _volume.Rename(_pool, "a", a, "x"));
        Assert.Equal(Errno.ENOTDIR, _volume.Rename(_pool, "a", _pool, "f"));
        Assert.Equal(Errno.EISDIR, _volume.Rename(_pool, "f", _pool, "a"));
        Assert.Equal(Errno.ENOTEMPTY, _volume.Rename(_pool, "empty", _pool, "a"));
        Assert.Equal(Errno.ENOENT, _volume.Rename(_pool, "none", _pool, "x"));
        Assert.Equal(Errno.EEXIST, _volume.Rename(_pool, "f", _pool, "a", 1));
        Assert.Equal(Errno.ENOENT, _volume.Rename(_pool, "f", _pool, "none", 2));
        Assert.Equal(Errno.EINVAL, _volume.Rename(_pool, "f", b, "inner", 3));
        Assert.Equal(Errno.EINVAL, _volume.Rename(_pool, "f", _pool, "x", 4));
        Assert.Equal(Errno.EINVAL, _volume.Rename(a, "b", _pool, "a", 2));
        Assert.Equal(Errno.ENOTDIR, _volume.Rename(_pool, "f", file, "x"));
        Assert.Equal(Errno.Ok, _volume.Rename(_pool, "a", _pool, "empty"));
        Assert.Equal(Errno.ENOENT, _volume.TryFind(_pool, "a", out _));
        Assert.Equal(a, _volume.Find(_pool, "empty"));
    }

    [Fact]
    public void Renaming_one_name_of_a_file_over_another_does_nothing()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Link(file, _pool, "g"));
        Assert.Equal(Errno.Ok, _volume.Rename(_pool, "f", _pool, "g"));
        Assert.Equal((file, file), (_volume.Find(_pool, "f"), _volume.Find(_pool, "g")));
        Assert.Equal(Errno.EEXIST, _volume.Rename(_pool, "f", _pool, "g", 1));
    }

    [Fact]
    public void Removal_answers_what_removal_answers()
    {
        var directory = _volume.Directory(_pool, "d");
        _volume.File(directory, "f");
        Assert.Equal(Errno.EISDIR, _volume.Unlink(_pool, "d"));
        Assert.Equal(Errno.ENOTDIR, _volume.RemoveDirectory(directory, "f"));
        Assert.Equal(Errno.ENOTEMPTY, _volume.RemoveDirectory(_pool, "d"));
        Assert.Equal(Errno.ENOENT, _volume.Unlink(_pool, "none"));
        Assert.Equal(Errno.ENOENT, _volume.RemoveDirectory(_pool, "none"));
        Assert.Equal(Errno.Ok, _volume.Unlink(directory, "f"));
        Assert.Equal(Errno.Ok, _volume.RemoveDirectory(_pool, "d"));
        // Its node is still known: nothing can be made in it.
        Assert.Equal(0u, _volume.Attributes(directory).Nlink);
        Assert.Equal(Errno.ENOENT, _volume.TryFile(directory, "g", out _));
        Assert.Equal(Errno.ENOENT, _volume.Files.MakeDirectory(TestVolume.Root, directory, "g"u8, 0x1ED, out _));
        Assert.Equal(Errno.ENOENT, _volume.Rename(_pool, "none", directory, "x"));
    }

    [Fact]
    public void Links_are_counted_up_to_their_limit()
    {
        var file = _volume.File(_pool, "f");
        var directory = _volume.Directory(_pool, "d");
        Assert.Equal(Errno.EPERM, _volume.Link(directory, _pool, "hard"));
        Assert.Equal(Errno.EEXIST, _volume.Link(file, _pool, "d"));
        for (var i = 1; i < InodeTable.MaximumLinks; i++) Assert.Equal(Errno.Ok, _volume.Link(file, directory, $"link{i}"));
        Assert.Equal(Errno.EMLINK, _volume.Link(file, directory, "one more"));
        Assert.Equal(InodeTable.MaximumLinks, _volume.Attributes(file).Nlink);
    }

    [Fact]
    public void A_nameless_file_takes_no_new_name()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "f"));
        Assert.Equal(Errno.ENOENT, _volume.Link(file, _pool, "g"));
    }

    [Fact]
    public void Symbolic_links_keep_their_target()
    {
        var target = TestVolume.Bytes(new string('t', 4095));
        Assert.Equal(Errno.Ok, _volume.Files.SymbolicLink(TestVolume.User, _pool, "l"u8, target, out var entry));
        var node = new NodeId(entry.NodeId);
        Assert.Equal((4095UL, 0xA1FFu, 1000u), (entry.Attr.Size, entry.Attr.Mode, entry.Attr.Uid));
        var buffer = new byte[5000];
        Assert.Equal(Errno.Ok, _volume.Files.ReadLink(node, buffer, out var length));
        Assert.Equal(target, buffer[..length]);
        Assert.Equal(Errno.ENAMETOOLONG, _volume.Files.SymbolicLink(TestVolume.Root, _pool, "m"u8, new byte[4096], out _));
        Assert.Equal(Errno.EINVAL, _volume.Files.ReadLink(_pool, buffer, out _));
        Assert.Equal(Errno.EINVAL, _volume.TryRead(node, 0, 10, out _));
        Assert.Equal(Errno.Ok, _volume.Link(node, _pool, "also"));
    }

    [Fact]
    public void Nodes_of_every_kind()
    {
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, "fifo"u8, InodeMode.Fifo | 0x1A4, 0, out _));
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, "socket"u8, InodeMode.Socket | 0x1A4, 0, out _));
        Assert.Equal(Errno.Ok,
            _volume.Files.MakeNode(TestVolume.Root, _pool, "c"u8, InodeMode.Character | 0x1A4, 0x103, out var device));
        Assert.Equal((InodeMode.Character | 0x1A4, 0x103u), (device.Attr.Mode, device.Attr.Rdev));
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, "b"u8, InodeMode.Block | 0x1A4, 0x700, out device));
        Assert.Equal((InodeMode.Block | 0x1A4, 0x700u), (device.Attr.Mode, device.Attr.Rdev));
        Assert.Equal(Errno.EINVAL, _volume.Files.MakeNode(TestVolume.Root, _pool, "d"u8, InodeMode.Directory, 0, out _));
        Assert.Equal(Errno.EINVAL, _volume.Files.MakeNode(TestVolume.Root, _pool, "x"u8, 0x3000, 0, out _));
        Assert.Equal([1u, 2u, 6u, 12u], _volume.List(_pool).Select(one => one.Type).Order());
    }

    [Fact]
    public void Names_have_up_to_255_bytes_and_are_not_dots()
    {
        var longest = new string('n', 255);
        var file = _volume.File(_pool, longest);
        Assert.Equal(file, _volume.Find(_pool, longest));
        Assert.Equal(Errno.ENAMETOOLONG, _volume.TryFile(_pool, longest + "n", out _));
        Assert.Equal(Errno.ENAMETOOLONG, _volume.Rename(_pool, longest, _pool, longest + "n"));
        Assert.Equal(Errno.EEXIST, _volume.TryFile(_pool, ".", out _));
        Assert.Equal(Errno.EEXIST, _volume.TryFile(_pool, "..", out _));
        // Any bytes are a name.
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, [0xff, 0xfe, 1], InodeMode.Regular, 0, out _));
    }

    [Fact]
    public void Strange_node_ids_are_stale()
    {
        var file = _volume.File(_pool, "f");
        ulong[] strangers = [0, 2, 3, file.Value + 1, file.Value - 1, ulong.MaxValue, 1UL << 44, 1UL << 60,
            _volume.Engine.Records.Root.Value];
        foreach (var stranger in strangers.Select(value => new NodeId(value)))
        {
            Assert.Equal(Errno.ESTALE, _volume.Files.GetAttributes(stranger, out _));
            Assert.Equal(Errno.ESTALE, _volume.TryFind(stranger, "x", out _));
            Assert.Equal(Errno.ESTALE, _volume.TryRead(stranger, 0, 1, out _));
            Assert.Equal(Errno.ESTALE, _volume.TryWrite(stranger, 0, [1], out _));
            Assert.Equal(Errno.ESTALE, _volume.Rename(stranger, "x", _pool, "y"));
            Assert.Equal(Errno.ESTALE, _volume.Files.GetExtendedAttribute(stranger, "user.a"u8, [], out _));
            Assert.Equal(Errno.ESTALE, _volume.Files.Open(TestVolume.Root, stranger, 0, 0, out _));
            Assert.Equal(Errno.ESTALE, _volume.Files.GetFileSystem(stranger, out _));
            _volume.Files.Forget(TestVolume.Root, stranger, 1);
            _volume.Files.Release(TestVolume.Root, stranger, 0);
            _volume.Files.ReleaseDirectory(TestVolume.Root, stranger, 0);
        }
        Assert.Equal(Errno.ENOTDIR, _volume.TryFind(file, "x", out _));
        Assert.Equal(Errno.ENOTDIR, _volume.Files.OpenDirectory(TestVolume.Root, file, 0, out _));
    }

    [Fact]
    public void An_unlinked_file_lives_while_it_is_open_or_known()
    {
        var file = _volume.File(_pool, "f", "contents"u8);
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out var open));
        Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "f"));
        _volume.AssertSound();
        Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        Assert.Equal(0u, _volume.Attributes(file).Nlink);
        _volume.Files.Forget(TestVolume.Root, file, 1000);
        Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        _volume.Files.Release(TestVolume.Root, file, open.Fh);
        Assert.Equal(Errno.ESTALE, _volume.TryRead(file, 0, 100, out _));
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
    }

    [Fact]
    public void An_inode_is_forgotten_only_after_as_many_forgets_as_lookups()
    {
        var file = _volume.File(_pool, "f");
        _volume.Find(_pool, "f");
        _volume.Find(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "f"));
        _volume.Files.Forget(TestVolume.Root, file, 2);
        Assert.Equal(Errno.Ok, _volume.Files.GetAttributes(file, out _));
        _volume.Files.Forget(TestVolume.Root, file, 1);
        Assert.Equal(Errno.ESTALE, _volume.Files.GetAttributes(file, out _));
    }

    [Fact]
    public void Generations_are_never_used_again()
    {
        var seen = new HashSet<ulong>();
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, "f"u8, InodeMode.Regular, 0, out var entry));
            Assert.True(seen.Add(entry.Generation));
            Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "f"));
            _volume.Files.Forget(TestVolume.Root, new NodeId(entry.NodeId), 1);
        }
    }

    [Fact]
    public void Create_opens_what_is_there_unless_it_must_be_new()
    {
        Assert.Equal(Errno.Ok, _volume.Files.Create(TestVolume.User, _pool, "f"u8, 0, 0x1A4, 0, out var entry, out var open));
        var node = new NodeId(entry.NodeId);
        Assert.Equal((0x81A4u, 1000u, 1000u, FuseOpenFlags.KeepCache),
            (entry.Attr.Mode, entry.Attr.Uid, entry.Attr.Gid, open.OpenFlags));
        _volume.Write(node, 0, "abc"u8);
        Assert.Equal(Errno.EEXIST, _volume.Files.Create(TestVolume.User, _pool, "f"u8, 0x80, 0x1A4, 0, out _, out _));
        Assert.Equal(Errno.Ok, _volume.Files.Create(TestVolume.User, _pool, "f"u8, 0, 0x1A4, 0, out var again, out _));
        Assert.Equal((entry.NodeId, 3UL), (again.NodeId, again.Attr.Size));
        // To be emptied: by a SETATTR, once the kernel has looked up the name that it did not know.
        Assert.Equal(Errno.ESTALE, _volume.Files.Create(TestVolume.User, _pool, "f"u8, 0x200, 0x1A4, 0, out _, out _));
        Assert.Equal(Errno.EINVAL, _volume.Files.Open(TestVolume.User, node, 0x200, 0, out _));
        Assert.Equal(3UL, _volume.Attributes(node).Size);
        Assert.Equal(Errno.Ok, _volume.Truncate(node, 0));
        Assert.Equal(Errno.Ok, _volume.Files.Create(TestVolume.User, _pool, "f"u8, 0x200, 0x1A4, 0, out again, out _));
        Assert.Equal((entry.NodeId, 0UL), (again.NodeId, again.Attr.Size));
        _volume.Directory(_pool, "d");
        Assert.Equal(Errno.EISDIR, _volume.Files.Create(TestVolume.User, _pool, "d"u8, 0, 0x1A4, 0, out _, out _));
    }

    [Fact]
    public void Entries_of_the_first_level_are_asked_for_every_time()
    {
        Assert.Equal(Errno.Ok, _volume.Files.Lookup(TestVolume.Root, NodeId.Root, "p"u8, out var pool));
        Assert.Equal((0UL, 1UL), (pool.EntryValid, pool.AttrValid));
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _pool, "f"u8, InodeMode.Regular, 0, out var file));
        Assert.Equal((60UL, 60UL), (file.EntryValid, file.AttrValid));
        Assert.Equal(Errno.Ok, _volume.Files.MakeNode(TestVolume.Root, _volume.Pool("e", Engine.PoolFlags.None), "f"u8,
            InodeMode.Regular, 0, out file));
        Assert.Equal((60UL, 1UL), (file.EntryValid, file.AttrValid));
    }
}
