using System.Text;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Names that the management has removed and the kernel may remember: it is told of each, those below a directory before that
/// directory's, and of no name that leads to something newer.
/// </summary>
public sealed class StaleNameTests : IDisposable
{
    private readonly TestVolume _volume = new();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    /// <summary>Does what removes names; returns what the kernel is told meanwhile: the names, with their directories.</summary>
    private async Task<List<(NodeId Directory, string Name)>> Told(Action remove, Action<int>? beforeEach = null)
    {
        using var left = new SemaphoreSlim(0);
        var told = new List<(NodeId, string)>();
        _volume.Files.NamesLeft = () => left.Release();
        var removal = Task.Run(remove, TestContext.Current.CancellationToken);
        while (!removal.IsCompleted || Take())
        {
            if (Take()) continue;
            await left.WaitAsync(10, TestContext.Current.CancellationToken);
        }
        await removal;
        _volume.Files.NamesLeft = null;
        return told;

        bool Take()
        {
            beforeEach?.Invoke(told.Count);
            Span<byte> name = stackalloc byte[255];
            if (!_volume.Files.TryTakeName(name, out var directory, out var length)) return false;
            told.Add((directory, Encoding.UTF8.GetString(name[..length])));
            return true;
        }
    }

    [Fact]
    public async Task The_kernel_is_told_of_all_that_it_knows_of_a_destroyed_pool_and_then_nothing_is_left()
    {
        var before = _volume.Files.Inodes;
        var pool = _volume.Pool();
        var directory = _volume.Directory(pool, "d");
        var files = Enumerable.Range(0, 300).Select(i => _volume.File(directory, $"f{i}", "contents"u8)).ToList();
        // Forgotten already: the kernel need not be told.
        _volume.Files.Forget(TestVolume.Root, files[7], 1);
        var told = await Told(() => Assert.Equal(Errno.Ok, _volume.Files.DestroyPool("p", force: true)));
        Assert.Equal(Enumerable.Range(0, 300).Where(i => i != 7).Select(i => $"f{i}").Order(),
            told.Take(299).Select(one => one.Name).Order());
        Assert.All(told.Take(299), one => Assert.Equal(directory, one.Directory));
        Assert.Equal([(pool, "d"), (NodeId.Root, "p")], told.Skip(299));
        foreach (var node in (NodeId[])[.. files, directory, pool]) _volume.Files.Forget(TestVolume.Root, node, 100);
        Assert.Equal(before, _volume.Files.Inodes);
    }

    [Fact]
    public async Task An_emptied_pools_name_is_told_unless_the_kernel_has_found_the_new_directory()
    {
        foreach (var isFound in new[] { false, true })
        {
            var pool = _volume.Pool($"p{isFound}");
            _volume.File(pool, "f", "contents"u8);
            var told = await Told(() => Assert.Equal(Errno.Ok, _volume.Files.EmptyPool($"p{isFound}", out _)), count =>
            {
                // When the name of the file was told, the name of the pool leads to another directory.
                if (isFound && count == 1) Assert.NotEqual(pool, _volume.Find(NodeId.Root, $"p{isFound}"));
            });
            Assert.Equal(isFound ? [(pool, "f")] : [(pool, "f"), (NodeId.Root, $"p{isFound}")], told);
        }
    }

    [Fact]
    public void A_kernel_that_does_not_listen_holds_up_no_removal()
    {
        var before = _volume.Files.Inodes;
        List<NodeId> nodes = [_volume.Pool()];
        for (var i = 0; i < 200; i++) nodes.Add(_volume.File(nodes[0], $"f{i}"));
        _volume.Files.NamesLeft = () => { };
        Assert.Equal(Errno.Ok, _volume.Files.DestroyPool("p", force: true));
        Assert.False(_volume.Files.TryTakeName(new byte[255], out _, out _));
        foreach (var node in nodes) _volume.Files.Forget(TestVolume.Root, node, 100);
        Assert.Equal(before, _volume.Files.Inodes);
    }

    /// <summary>
    /// The removal that a dead process has left is continued by threads that serve: they wait for nobody, and go on when the
    /// kernel has been told.
    /// </summary>
    [Fact]
    public void A_removal_that_was_cut_short_goes_on_as_the_kernel_is_told()
    {
        var pool = _volume.Pool();
        var nodes = Enumerable.Range(0, 200).Select(i => _volume.File(pool, $"f{i}")).ToList();
        // As a process leaves it that dies amid the removal: without the pool.
        Assert.Equal(TmemStatus.Ok, _volume.Client.DestroyPool(Assert.Single(_volume.Files.Pools()).Id));
        _volume.Attach();
        var woken = 0;
        _volume.Files.WorkLeft = () => woken++;
        _volume.Files.NamesLeft = () => { };
        var told = new List<string>();
        while (told.Count < nodes.Count)
        {
            while (_volume.Files.DropSome()) { }
            var name = new byte[255];
            var (count, wakings) = (told.Count, woken);
            while (_volume.Files.TryTakeName(name, out var directory, out var length))
            {
                Assert.Equal(pool, directory);
                told.Add(Encoding.UTF8.GetString(name.AsSpan(0, length)));
            }
            Assert.True(told.Count > count, "nothing more was told");
            Assert.True(told.Count == nodes.Count || woken > wakings, "nobody is woken for the rest");
        }
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"f{i}").Order(), told.Order());
        foreach (var node in (NodeId[])[.. nodes, pool]) _volume.Files.Forget(TestVolume.Root, node, 100);
    }
}
