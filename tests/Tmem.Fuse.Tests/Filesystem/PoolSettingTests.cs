using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Settings of a pool change while it is in use, and are the same in engine, mount and the next process.</summary>
public sealed class PoolSettingTests : IDisposable
{
    private readonly TestVolume _volume = new();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private string Attribute(string name)
    {
        Assert.Equal(Errno.Ok, _volume.GetAttribute(_volume.Find(NodeId.Root, "p"), name, out var value));
        return System.Text.Encoding.UTF8.GetString(value);
    }

    private Errno Change(PoolChange change) => _volume.Files.ChangePool("p", change);

    [Fact]
    public void Limit_codec_owner_and_mode_are_shown_as_they_are_set_also_by_the_next_process()
    {
        _volume.Pool();
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 1 << 20, Reserve: 4096, Codec: TmemCodec.Zstd, Owner: 7, Group: 8,
            Mode: 0x5C0)));
        for (var restarts = 0; restarts < 2; restarts++)
        {
            Assert.Equal("1048576", Attribute("user.tmem.limit"));
            Assert.Equal("zstd", Attribute("user.tmem.codec"));
            var pool = Assert.Single(_volume.Files.Pools());
            Assert.Equal((1L << 20, TmemCodec.Zstd), (pool.Options.LimitBytes, pool.Options.Codec));
            Assert.Equal((new PoolOwner(7, 8), 0x5C0u), (pool.Owner, pool.Mode));
            var attributes = _volume.Attributes(_volume.Find(NodeId.Root, "p"));
            Assert.Equal((7u, 8u, InodeMode.Directory | 0x5C0), (attributes.Uid, attributes.Gid, attributes.Mode));
            Assert.Equal(4096, _volume.Engine.Statistics().Pools[0].Options.ReserveBytes);
            _volume.Attach();
        }
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 0)));
        Assert.Equal("none", Attribute("user.tmem.limit"));
        Assert.Equal("zstd", Attribute("user.tmem.codec"));
    }

    [Fact]
    public void A_change_that_is_refused_changes_nothing()
    {
        _volume.Pool();
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 8 << 20, Reserve: 2 << 20)));
        var before = (Assert.Single(_volume.Files.Pools()), _volume.Engine.Statistics().Pools[0].Options);
        Assert.Equal(Errno.EINVAL, Change(new PoolChange(Limit: 1 << 20, Mode: 0)));
        Assert.Equal(Errno.EINVAL, Change(new PoolChange(Limit: -1, Codec: TmemCodec.Zstd)));
        Assert.Equal(Errno.EINVAL, Change(new PoolChange(Reserve: 9 << 20, Owner: 5)));
        // More than the store has: a limit raised for its sake is as before.
        Assert.Equal(Errno.ENOSPC, Change(new PoolChange(Limit: 0, Reserve: 100 << 20, Owner: 5)));
        Assert.Equal(Errno.EINVAL, Change(new PoolChange(Reserve: 1 << 20, Codec: (TmemCodec)9)));
        Assert.Equal(Errno.ENOENT, _volume.Files.ChangePool("q", new PoolChange(Limit: 0)));
        Assert.Equal(before, (Assert.Single(_volume.Files.Pools()), _volume.Engine.Statistics().Pools[0].Options));
        // Both at once, in either direction.
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 1 << 20, Reserve: 1 << 20)));
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 9 << 20, Reserve: 9 << 20)));
    }

    [Fact]
    public void A_pool_of_files_refuses_and_a_cache_evicts_down_to_a_lower_limit()
    {
        var kept = _volume.File(_volume.Pool("q"), "f", TestVolume.Noise(1 << 20, 1));
        var cached = _volume.File(_volume.Pool("p", PoolFlags.Shared), "f", TestVolume.Noise(1 << 20, 1));
        Assert.Equal(Errno.Ok, _volume.Files.ChangePool("q", new PoolChange(Limit: 256 << 10)));
        Assert.Equal(Errno.Ok, Change(new PoolChange(Limit: 256 << 10)));
        Assert.Equal(TestVolume.Noise(1 << 20, 1), _volume.Read(kept, 0, 1 << 20));
        Assert.Equal(Errno.ENOSPC, _volume.TryWrite(kept, 1 << 20, TestVolume.Noise(4096, 2), out _));
        Assert.Equal(Errno.ENODATA, _volume.TryRead(cached, 0, 1 << 20, out _));
        _volume.Write(cached, 0, TestVolume.Noise(4096, 2));
        Assert.Equal(Errno.Ok, _volume.Truncate(kept, 100 << 10));
        _volume.Write(kept, 100 << 10, TestVolume.Noise(4096, 2));
    }

    [Fact]
    public void A_pool_is_made_for_a_user()
    {
        Assert.Equal(Errno.Ok,
            _volume.Files.CreatePool("u", new PoolOptions(PoolFlags.Persistent), 0x1C0, out _, owner: new PoolOwner(1000, 50)));
        var attributes = _volume.Attributes(_volume.Find(NodeId.Root, "u"));
        Assert.Equal((1000u, 50u, InodeMode.Directory | 0x1C0), (attributes.Uid, attributes.Gid, attributes.Mode));
    }
}
