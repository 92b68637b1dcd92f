using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;
using static Tmem.Fuse.Tests.Crash.Requests;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>A pool that is being emptied is killed before each store: it is full or empty then, and sound, and is emptied by the
/// next call or by the steps.</summary>
public sealed class PoolEmptyKillTests
{
    private const int Files = 100;

    [Fact]
    public void A_pool_is_full_or_empty_whenever_the_kill_comes()
    {
        var (full, empty) = (0, 0);
        for (var killAt = 1; ; killAt++)
        {
            using var volume = Populated();
            volume.KillAt = killAt;
            var isOver = Record.Exception(() => volume.Files.EmptyPool("p", out _)) is not Killed;
            volume.KillAt = 0;
            volume.Reopen();
            volume.AssertSound();
            var names = Snapshot.Children(volume, volume.Node("p")).Count;
            Assert.True(names is 0 or Files + 1, $"killed at {killAt}: {names} names");
            Assert.Equal(2, volume.Files.Pools().Count);
            Assert.Equal("note"u8.ToArray(), Note(volume));
            if (names == 0) empty++;
            else full++;
            // Some of it in steps, the rest by the next call, which drops what the kernel remembers too.
            if (killAt % 2 == 0) while (volume.Files.DropSome()) { }
            Assert.Equal(Errno.Ok, volume.Files.EmptyPool("p", out _));
            while (volume.Files.DropSome()) { }
            volume.AssertSound();
            Assert.Equal(1, volume.Engine.Statistics().Total.Pages);
            volume.Files.DropKernelReferences();
            var inodes = 0;
            volume.Records.ForEach(RecordKind.Inode, _ => inodes++);
            // Root, two pools, the file of the other.
            Assert.Equal(4, inodes);
            if (isOver) break;
        }
        Assert.True(full > 5 && empty > 20, $"{full} full, {empty} empty");
    }

    private static byte[] Note(CrashVolume volume)
    {
        var value = new byte[10];
        Assert.Equal(Errno.Ok,
            volume.Files.GetExtendedAttribute(new NodeId(volume.Node("p")), "user.note"u8, value, out var length));
        return value[..length];
    }

    private static CrashVolume Populated()
    {
        var volume = new CrashVolume();
        Send(MakeDirectory("", "kept"));
        Send(MakeNode("kept", "f"));
        Send(MakeDirectory("", "p"));
        Assert.Equal(Errno.Ok, volume.Files.SetExtendedAttribute(
            TestVolume.Root, new NodeId(volume.Node("p")), "user.note"u8, "note"u8, 0));
        Send(MakeDirectory("p", "d"));
        for (var i = 0; i < Files; i++)
        {
            Send(MakeNode("p", $"f{i}"));
            Write($"p/f{i}", i);
            if (i % 3 != 0) Send(Forget(one => one.Node($"p/f{i}"), 1));
        }
        Write("kept/f", 1);
        return volume;

        void Send(Request request) =>
            Assert.True(volume.Send(request(volume, volume.NextUnique()).Build()).Error == Errno.Ok);

        void Write(string path, int seed) => Assert.Equal(Errno.Ok, volume.Files.Write(
            TestVolume.Root, new NodeId(volume.Node(path)), 0, 0, TestVolume.Noise(4096, seed), 0, out _, out _));
    }
}
