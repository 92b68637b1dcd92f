using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>A pool is emptied and stays: its settings, its owner, its extended attributes.</summary>
public sealed class PoolEmptyTests : IDisposable
{
    private readonly TestVolume _volume = new();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    [Fact]
    public void Everything_in_it_is_gone_and_everything_of_it_is_there()
    {
        var pool = _volume.Pool(limit: 32 << 20);
        Assert.Equal(Errno.Ok, _volume.SetAttribute(pool, "user.note", "mine"u8));
        Assert.Equal(Errno.Ok, _volume.Files.ChangePool("p", new PoolChange(Owner: 5, Group: 6, Mode: 0x3FF)));
        var directory = _volume.Directory(pool, "d");
        var file = _volume.File(directory, "f", TestVolume.Noise(100 * TestVolume.Page, 1));
        Assert.Equal(Errno.Ok, _volume.Link(file, pool, "g"));
        for (var i = 0; i < 300; i++) _volume.File(directory, $"f{i}", "contents"u8);
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out var pages));
        Assert.Equal(400, pages);
        // Though the kernel remembers all these files.
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
        var now = _volume.Find(NodeId.Root, "p");
        Assert.NotEqual(pool, now);
        Assert.Empty(_volume.List(now));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(now, "user.note", out var note));
        Assert.Equal("mine"u8.ToArray(), note);
        var attributes = _volume.Attributes(now);
        Assert.Equal((5u, 6u, InodeMode.Directory | 0x3FF, 2u),
            (attributes.Uid, attributes.Gid, attributes.Mode, attributes.Nlink));
        Assert.Equal(32 << 20, Assert.Single(_volume.Files.Pools()).Options.LimitBytes);
        Assert.Equal(0u, _volume.Attributes(file).Nlink);
        Assert.Equal(3u, _volume.Attributes(NodeId.Root).Nlink);
        _volume.AssertSound();
        // It is used on, and emptied again; what the kernel forgets is gone.
        _volume.File(now, "new", "contents"u8);
        foreach (var node in new[] { file, directory, pool }) _volume.Files.Forget(TestVolume.Root, node, 100);
        Assert.Equal(Errno.ESTALE, _volume.Files.GetAttributes(pool, out _));
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out pages));
        Assert.Equal(1, pages);
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out pages));
        Assert.Equal(0, pages);
        _volume.Attach();
        Assert.Empty(_volume.List(_volume.Find(NodeId.Root, "p")));
    }

    /// <summary>
    /// The new directory is made while the old files are there, so its record may be the last of a full span, which then stays;
    /// the next files lie there.
    /// </summary>
    [Fact]
    public void Filled_and_emptied_again_and_again_it_takes_no_more_room_than_once()
    {
        _volume.Pool();
        var room = 0L;
        for (var round = 0; round < 4; round++)
        {
            var pool = _volume.Find(NodeId.Root, "p");
            List<NodeId> nodes = [pool];
            for (var i = 0; i < 2000; i++) nodes.Add(_volume.File(pool, $"f{i}", []));
            Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out _));
            foreach (var node in nodes) _volume.Files.Forget(TestVolume.Root, node, 100);
            var left = _volume.Engine.Statistics().RecordSpanBytes;
            if (round == 0) room = left;
            Assert.InRange(left, 1, Math.Min(room, 1 << 20));
        }
    }

    [Fact]
    public void It_is_refused_while_a_file_is_open()
    {
        var pool = _volume.Pool();
        var file = _volume.File(pool, "f", "contents"u8);
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out var open));
        Assert.Equal(Errno.EBUSY, _volume.Files.EmptyPool("p", out _));
        Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        _volume.Files.Release(TestVolume.Root, file, open.Fh);
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out _));
        Assert.Equal(Errno.ENOENT, _volume.Files.EmptyPool("none", out _));
        Assert.Equal(Errno.ENOENT, _volume.Files.EmptyPool("..", out _));
    }

    /// <summary>A pool that is full has no room for another directory until some of its files are gone.</summary>
    [Theory]
    [InlineData(true), InlineData(false)]
    public void It_needs_no_room_in_a_pool_or_a_store_that_is_full(bool ofThePool)
    {
        var pool = _volume.Pool(limit: ofThePool ? 1 << 20 : 0);
        var directory = _volume.Directory(pool, "d");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(pool, "user.large", TestVolume.Noise(30_000, 1)));
        var fill = 0;
        while (_volume.TryFile(directory, $"f{fill}", out var file) == Errno.Ok
            && _volume.TryWrite(file, 0, TestVolume.Noise(8 * TestVolume.Page, fill), out _) == Errno.Ok) fill++;
        for (var i = 0; _volume.TryFile(directory, $"small{i}", out _) == Errno.Ok; i++) { }
        Assert.Equal(Errno.ENOSPC, _volume.TryFile(pool, "more", out _));
        var stored = _volume.Engine.Statistics().Total.Pages;
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out var pages));
        Assert.Equal(stored, pages);
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
        var now = _volume.Find(NodeId.Root, "p");
        Assert.Empty(_volume.List(now));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(now, "user.large", out _));
        _volume.File(now, "new", TestVolume.Noise(64 * TestVolume.Page, 1));
    }

    [Fact]
    public void A_cache_is_emptied_too()
    {
        var pool = _volume.Pool(flags: PoolFlags.Shared);
        _volume.File(pool, "f", TestVolume.Noise(1 << 20, 1));
        Assert.Equal(Errno.Ok, _volume.Files.EmptyPool("p", out var pages));
        Assert.Equal(256, pages);
        var file = _volume.File(_volume.Find(NodeId.Root, "p"), "f", "new"u8);
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 3 * TestVolume.Page));
        Assert.Equal(Errno.ENODATA, _volume.TryRead(file, TestVolume.Page, 100, out _));
    }
}
