using System.Text;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Pools through the management API.</summary>
public sealed class PoolTests : IDisposable
{
    private readonly TestVolume _volume = new();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private Errno Create(string name, PoolOptions options = default) => _volume.Files.CreatePool(name, options, 0x1ED, out _);

    [Fact]
    public void Bad_names_and_options_are_refused()
    {
        foreach (var name in new[] { "", ".", "..", "a/b", "a\0b", "a\nb", "\ud800" }) Assert.Equal(Errno.EINVAL, Create(name));
        Assert.Equal(Errno.ENAMETOOLONG, Create(new string('n', 256)));
        Assert.Equal(Errno.ENAMETOOLONG, Create(new string('ä', 128)));
        Assert.Equal(Errno.Ok, Create(new string('n', 255)));
        Assert.Equal(Errno.EINVAL, Create("p", new PoolOptions((PoolFlags)0x100)));
        Assert.Equal(Errno.EINVAL, Create("p", new PoolOptions(PoolFlags.Precompressed)));
        Assert.Equal(Errno.EINVAL, Create("p", new PoolOptions((PoolFlags)0x10)));
        Assert.Equal(Errno.EINVAL, Create("p", new PoolOptions(PoolFlags.Persistent, -1)));
        Assert.Equal(Errno.Ok, Create("p"));
        Assert.Equal(Errno.EEXIST, Create("p"));
        Assert.Equal(2, _volume.Client.Pools().Count);
    }

    /// <summary>mkdir takes names that pool.create refuses: such pools can be given a reserve and destroyed.</summary>
    [Fact]
    public void A_pool_that_mkdir_made_is_found_by_any_name()
    {
        _volume.Directory(NodeId.Root, "a\tb");
        Assert.Equal(Errno.Ok, _volume.Files.ChangePool("a\tb", new PoolChange(Reserve: 4096)));
        Assert.Equal(Errno.Ok, _volume.Files.DestroyPool("a\tb", force: false));
        Assert.Empty(_volume.Client.Pools());
    }

    /// <summary>A kill leaves it with its mode and its use, or leaves none; and no mkdir makes a pool for swap.</summary>
    [Fact]
    public void A_pool_is_made_for_swap_with_its_creation_and_over_restarts()
    {
        Assert.Equal(Errno.Ok, _volume.Files.CreatePool("s", new PoolOptions(PoolFlags.Persistent), 0x1C0, out _, forSwap: true));
        Create("p");
        _volume.Directory(NodeId.Root, "d");
        for (var restarts = 0; restarts < 2; restarts++)
        {
            Assert.Equal([("d", false), ("p", false), ("s", true)],
                _volume.Files.Pools().Select(pool => (pool.Name, pool.ForSwap)));
            Assert.Equal(0x1C0u, _volume.Attributes(_volume.Find(NodeId.Root, "s")).Mode & 0xFFF);
            _volume.Attach();
        }
    }

    /// <summary>What tmemctl need not look for: whoever lists pools is told, and does not open each.</summary>
    [Fact]
    public void A_pool_with_a_trace_of_swap_is_told_from_those_without()
    {
        Assert.Equal((ControlProtocol.SwapFile, ControlProtocol.SwapMark), (Encoding.UTF8.GetString(PoolDirectories.SwapFile),
            Encoding.UTF8.GetString(PoolDirectories.SwapMark)));
        Assert.Equal(Errno.Ok, _volume.Files.CreatePool("a", new PoolOptions(PoolFlags.Persistent), 0x1C0, out _, forSwap: true));
        _volume.File(_volume.Directory(NodeId.Root, "b"), ControlProtocol.SwapFile);
        Assert.Equal(Errno.Ok, _volume.SetAttribute(_volume.Directory(NodeId.Root, "c"), ControlProtocol.SwapMark, "x"u8));
        _volume.File(_volume.Directory(_volume.Directory(NodeId.Root, "d"), "below"), ControlProtocol.SwapFile);
        Assert.Equal([("a", true), ("b", true), ("c", true), ("d", false)],
            _volume.Files.Pools().Select(pool => (pool.Name, pool.HoldsSwap)));
        Assert.Equal(Errno.Ok, _volume.Unlink(_volume.Find(NodeId.Root, "b"), ControlProtocol.SwapFile));
        Assert.Equal(Errno.Ok, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, _volume.Find(NodeId.Root, "c"),
            TestVolume.Bytes(ControlProtocol.SwapMark)));
        Assert.Equal(["a"], _volume.Files.Pools().Where(pool => pool.HoldsSwap).Select(pool => pool.Name));
    }

    [Fact]
    public void Pools_are_listed_by_name()
    {
        Create("b");
        Create("a", new PoolOptions(PoolFlags.Persistent, 4 << 20));
        var pools = _volume.Files.Pools();
        Assert.Equal(["a", "b"], pools.Select(pool => pool.Name));
        Assert.Equal(new PoolOptions(PoolFlags.Persistent, 4 << 20), pools[0].Options);
        Assert.Equal(PoolFlags.Shared, pools[1].Options.Flags);
        Assert.Equal(_volume.Client.Pools().Order(Comparer<PoolId>.Create((x, y) => x.Value.CompareTo(y.Value))),
            pools.Select(pool => pool.Id).Order(Comparer<PoolId>.Create((x, y) => x.Value.CompareTo(y.Value))));
    }

    [Fact]
    public void A_pool_with_files_is_destroyed_only_by_force_and_never_while_one_is_open()
    {
        var pool = _volume.Pool();
        var directory = _volume.Directory(pool, "d");
        var file = _volume.File(directory, "f", "contents"u8);
        Assert.Equal(Errno.ENOENT, _volume.Files.DestroyPool("none", force: true));
        Assert.Equal(Errno.ENOTEMPTY, _volume.Files.DestroyPool("p", force: false));
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out var open));
        Assert.Equal(Errno.EBUSY, _volume.Files.DestroyPool("p", force: true));
        Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        _volume.Files.Release(TestVolume.Root, file, open.Fh);
        Assert.Equal(Errno.Ok, _volume.Files.DestroyPool("p", force: true));
        _volume.AssertSound();
        Assert.Empty(_volume.Client.Pools());
        // The kernel still knows the node; its contents went with the pool.
        Assert.Equal(0u, _volume.Attributes(file).Nlink);
        Assert.Equal(Errno.ESTALE, _volume.TryRead(file, 0, 10, out _));
        Assert.Equal(Errno.ESTALE, _volume.TryWrite(file, 0, [1], out _));
        Assert.Equal(Errno.ENOENT, _volume.TryFile(directory, "g", out _));
        foreach (var node in new[] { file, directory, pool })
        {
            _volume.Files.Forget(TestVolume.Root, node, 100);
            Assert.Equal(Errno.ESTALE, _volume.Files.GetAttributes(node, out _));
        }
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
    }

    [Fact]
    public void An_empty_pool_with_an_open_nameless_file_stays()
    {
        var pool = _volume.Pool();
        var file = _volume.File(pool, "f", "contents"u8);
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out var open));
        Assert.Equal(Errno.Ok, _volume.Unlink(pool, "f"));
        Assert.Equal(Errno.EBUSY, _volume.RemoveDirectory(NodeId.Root, "p"));
        Assert.Equal(Errno.EBUSY, _volume.Files.DestroyPool("p", force: false));
        _volume.Files.Release(TestVolume.Root, file, open.Fh);
        Assert.Equal(Errno.Ok, _volume.RemoveDirectory(NodeId.Root, "p"));
    }
}
