using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Several threads do everything at once on the same names while the verifier runs; in the end nothing is left over.
/// </summary>
public sealed class FileSystemSoakTests
{
    private const int Threads = 4;
    private const int Rounds = 15_000;

    [Fact]
    public void Many_threads_on_the_same_names_leave_a_sound_file_system()
    {
        using var volume = new TestVolume(hashMask: 0xF);
        NodeId[] pools = [volume.Pool("p"), volume.Pool("e", PoolFlags.None)];
        var failures = new List<string>();
        var working = Threads;
        var threads = Enumerable.Range(0, Threads).Select(number => new Thread(() =>
        {
            try
            {
                new Worker(volume, number, pools).Run();
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                lock (failures) failures.Add(problem.ToString());
            }
            Interlocked.Decrement(ref working);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        var verifications = 0;
        for (; Volatile.Read(ref working) > 0; verifications++)
        {
            foreach (var problem in volume.Files.Verify()) lock (failures) failures.Add(problem);
            Thread.Sleep(5);
        }
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
        Assert.True(verifications > 0);
        volume.AssertSound();
        Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true));
        Assert.Equal(Errno.Ok, volume.Files.DestroyPool("e", force: true));
        volume.Files.DropKernelReferences();
        volume.AssertSound();
        Assert.Equal(0, volume.Engine.Statistics().Total.Pages);
    }

    /// <summary>
    /// A thread that behaves as a kernel does: it uses only nodes it has looked up, and forgets what it was given.
    /// </summary>
    private sealed class Worker(TestVolume volume, int seed, NodeId[] pools)
    {
        private readonly Random _random = new(seed);
        private readonly byte[] _data = TestVolume.Noise(20_000, seed);

        public void Run()
        {
            for (var round = 0; round < Rounds; round++)
            {
                var (parent, owned) = Directory();
                var name = Name();
                switch (_random.Next(10))
                {
                    case 0:
                        Forget(volume.Files.MakeDirectory(TestVolume.Root, parent, name, 0x1ED, out var made), made);
                        break;
                    case 1 or 2:
                        volume.Files.Unlink(TestVolume.Root, parent, name);
                        break;
                    case 3:
                        volume.Files.RemoveDirectory(TestVolume.Root, parent, name);
                        break;
                    case 4:
                        var (other, otherOwned) = Directory();
                        volume.Files.Rename(TestVolume.Root, parent, name, other, Name(), (uint)_random.Next(3));
                        if (otherOwned) volume.Files.Forget(TestVolume.Root, other, 1);
                        break;
                    case 5:
                        var writer = new DirectoryWriter(new byte[2000], plus: true);
                        Assert.Equal(Errno.Ok, volume.Files.ReadDirectory(TestVolume.Root, parent, 0, 2, ref writer));
                        // The lookups that it counts stay until a new mount drops them.
                        break;
                    default:
                        UseFile(parent, name);
                        break;
                }
                if (owned) volume.Files.Forget(TestVolume.Root, parent, 1);
            }
        }

        private void UseFile(NodeId parent, byte[] name)
        {
            if (volume.Files.Create(TestVolume.Root, parent, name, (uint)_random.Next(2) * 0x200, 0x1A4, 0, out var entry,
                out var open) != Errno.Ok) return;
            var node = new NodeId(entry.NodeId);
            for (var i = 0; i < 3; i++)
            {
                var offset = (ulong)_random.Next(40_000);
                volume.Files.Write(TestVolume.Root, node, open.Fh, offset, _data.AsSpan(0, _random.Next(_data.Length)), 0, out _,
                    out _);
                volume.Files.Allocate(TestVolume.Root, node, open.Fh, (ulong)_random.Next(40_000), (ulong)_random.Next(1, 20_000),
                    3);
                volume.Files.SetExtendedAttribute(TestVolume.Root, node, "user.a"u8, _data.AsSpan(0, _random.Next(100)), 0);
                if (_random.Next(3) == 0) volume.Truncate(node, (ulong)_random.Next(60_000));
                volume.TryRead(node, 0, 1000, out _);
            }
            volume.Files.Link(TestVolume.Root, node, parent, Name(), out var link);
            if (link.NodeId != 0) volume.Files.Forget(TestVolume.Root, node, 1);
            volume.Files.Release(TestVolume.Root, node, open.Fh);
            volume.Files.Forget(TestVolume.Root, node, 1);
        }

        private (NodeId Node, bool Owned) Directory()
        {
            var pool = pools[_random.Next(pools.Length)];
            if (_random.Next(2) == 0 || volume.Files.Lookup(TestVolume.Root, pool, Name(), out var entry) != Errno.Ok)
                return (pool, false);
            if ((entry.Attr.Mode & 0xF000) == 0x4000) return (new NodeId(entry.NodeId), true);
            volume.Files.Forget(TestVolume.Root, new NodeId(entry.NodeId), 1);
            return (pool, false);
        }

        private void Forget(Errno error, FuseEntryOut entry)
        {
            if (error == Errno.Ok) volume.Files.Forget(TestVolume.Root, new NodeId(entry.NodeId), 1);
        }

        private byte[] Name() => TestVolume.Bytes($"n{_random.Next(12)}");
    }
}
