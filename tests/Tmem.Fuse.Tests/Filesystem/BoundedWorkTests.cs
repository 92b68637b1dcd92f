using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Administration holds the namespace lock for a bounded number of steps at a time, and none of it grows with the number of
/// files: shown by counting steps and managed bytes, not by a clock.
/// </summary>
public sealed class BoundedWorkTests
{
    /// <summary>
    /// Files in one directory, nested directories, attributes on one file, and a file that has lost the name its inode
    /// remembered.
    /// </summary>
    private static NodeId Populate(TestVolume volume, int files, int depth)
    {
        var pool = volume.Pool();
        for (var i = 0; i < files; i++) volume.File(pool, $"f{i}", [(byte)i, 1, 2]);
        var at = volume.Directory(pool, "nested");
        for (var i = 0; i < depth; i++) at = volume.Directory(at, "d");
        for (var i = 0; i < ExtendedAttributes.MaximumCount; i++) volume.SetAttribute(at, $"user.{i}", ""u8);
        var file = volume.File(at, "data", TestVolume.Noise(5000, 1));
        Assert.Equal(Errno.Ok, volume.Link(file, pool, "other"));
        Assert.Equal(Errno.Ok, volume.Unlink(pool, "other"));
        return file;
    }

    [Fact]
    public void No_hold_of_the_namespace_lock_grows_with_the_files()
    {
        using var volume = new TestVolume();
        var file = Populate(volume, 20_000, 3_000);
        Assert.Empty(volume.Files.Verify());
        var inode = volume.Engine.Records.Get<InodeRecord>(new RecordRef(file.Value));
        var page = new PageHandle(volume.Files.Pools()[0].Id, new ObjectId(file.Value, inode.Generation, 0), 0);
        // Deeper than a path is written out.
        Assert.Contains("/d/d/d/data", volume.Files.FileOf(in page), StringComparison.Ordinal);
        Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true));
        Assert.InRange(volume.Files.LongestHold, BoundedHold.Most / 2, BoundedHold.Most + BoundedHold.Slack);
        volume.Files.DropKernelReferences();
        volume.AssertSound();
        var inodes = 0;
        volume.Engine.Records.ForEach(RecordKind.Inode, _ => inodes++);
        Assert.Equal(1, inodes);
    }

    [Fact]
    public void Nothing_managed_grows_with_the_files()
    {
        var few = Measure(2_000, 100);
        var many = Measure(22_000, 3_100);
        // A hold takes a thousand records, and allocates nothing; all else is equal.
        for (var i = 0; i < few.Length; i++)
            Assert.True(many[i] - few[i] < 16_000, $"step {i}: {few[i]} bytes with 2,000 files, {many[i]} with 22,000");

        static long[] Measure(int files, int depth)
        {
            using var volume = new TestVolume();
            Populate(volume, files, depth);
            using var other = new TestVolume();
            Populate(other, files, depth);
            return
            [
                Bytes(volume.Attach), Bytes(() => Assert.Empty(volume.Files.Verify())), Bytes(() => volume.Engine.Verify()),
                Bytes(() => Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true))),
                    Bytes(volume.Files.DropKernelReferences),
                // A removal that a kill has cut short: the next process finishes it.
                Bytes(() => CutPoolOff(other)), Bytes(other.Attach), Bytes(other.Files.DropKernelReferences),
                    Bytes(() => { while (other.Files.DropSome()) { } }),
            ];
        }

        static long Bytes(Action action)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        static void CutPoolOff(TestVolume volume)
        {
            var records = volume.Engine.Records;
            var root = records.Get<RootRecord>(records.Root).RootInode;
            records.ForEach(RecordKind.Entry, entry =>
            {
                if (records.Get<EntryRecord>(entry).Parent == root) records.Free(entry);
            });
        }
    }

    /// <summary>A check finds nothing wrong in names that change all the while.</summary>
    [Fact]
    public async Task A_check_beside_changes_finds_nothing()
    {
        using var volume = new TestVolume();
        var pools = new[] { volume.Pool("a"), volume.Pool("b") };
        using var stop = new CancellationTokenSource();
        var workers = Enumerable.Range(0, 2).Select(number => Task.Factory.StartNew(
            () => Change(volume, pools[number], number, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
                TaskScheduler.Default)).ToArray();
        try
        {
            for (var round = 0; round < 25; round++) Assert.Empty(volume.Files.Verify());
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(workers);
        }
        volume.Files.DropKernelReferences();
        volume.AssertSound();
    }

    private static void Change(TestVolume volume, NodeId pool, int number, CancellationToken stop)
    {
        var random = new Random(number);
        var caller = new Caller(0, 0, 1, 0, number);
        var directories = Enumerable.Range(0, 4).Select(i => volume.Directory(pool, $"d{i}")).ToArray();
        while (!stop.IsCancellationRequested)
        {
            var from = directories[random.Next(4)];
            var to = directories[random.Next(4)];
            var (name, newName) = (TestVolume.Bytes($"n{random.Next(60)}"), TestVolume.Bytes($"n{random.Next(60)}"));
            var node = default(NodeId);
            switch (random.Next(9))
            {
                case 0 or 1:
                    if (volume.Files.MakeNode(caller, from, name, InodeMode.Regular | 0x1A4, 0, out var made) == Errno.Ok)
                        node = new NodeId(made.NodeId);
                    if (node != default) volume.TryWrite(node, 0, TestVolume.Noise(3000, 1), out _);
                    break;
                case 2: if (volume.Files.MakeDirectory(caller, from, name, 0x1ED, out var directory) == Errno.Ok) node =
                    new NodeId(directory.NodeId); break;
                case 3: volume.Files.Unlink(caller, from, name); break;
                case 4: volume.Files.RemoveDirectory(caller, from, name); break;
                case 5: volume.Files.Rename(caller, from, name, to, newName, (uint)random.Next(3)); break;
                case 6: if (volume.Files.Lookup(caller, from, name, out var found) == Errno.Ok
                    && volume.Files.Link(caller, node = new NodeId(found.NodeId), to, newName,
                        out _) == Errno.Ok) volume.Files.Forget(caller, node, 1); break;
                case 7: if (volume.Files.Lookup(caller, from, name, out found) == Errno.Ok) volume.SetAttribute(
                    node = new NodeId(found.NodeId), $"user.{random.Next(5)}", new byte[random.Next(100)]); break;
                default: if (volume.Files.SymbolicLink(caller, from, name, "t"u8, out var link) == Errno.Ok) node =
                    new NodeId(link.NodeId); break;
            }
            if (node != default) volume.Files.Forget(caller, node, 1);
        }
    }
}
