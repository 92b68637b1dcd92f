using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;
using static Tmem.Fuse.Tests.Crash.Requests;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// The removal of a pool with many names, killed: the process that attaches to the region removes next to nothing of the rest
/// before it serves; steps that no request waits for do it, however often they are killed. Records are counted, not seconds.
/// </summary>
public sealed class RemovalKillTests
{
    private const int Files = 700;
    private const int Depth = 150;
    /// <summary>What one hold of the lock removes, which a kill can leave dead and not freed, and the directory itself.</summary>
    private const int AStep = 66;
    /// <summary>Root, the pool that is kept, its file.</summary>
    private const int Kept = 3;

    private static CrashVolume Populated()
    {
        var volume = new CrashVolume();
        Send(MakeDirectory("", "kept"));
        Send(MakeNode("kept", "f"));
        Send(MakeDirectory("", "p"));
        for (var i = 0; i < Files; i++)
        {
            Send(MakeNode("p", $"f{i}"));
            // The kernel knows few of them any more.
            if (i % 50 != 0) Send(Forget(one => one.Node($"p/f{i}"), 1));
        }
        var path = "p";
        for (var i = 0; i < Depth; i++)
        {
            Send(MakeDirectory(path, "d"));
            path += "/d";
        }
        for (var i = 0; i < 100; i++) Send(MakeNode(path, $"deep{i}"));
        return volume;

        void Send(Request request) =>
            Assert.True(volume.Send(request(volume, volume.NextUnique()).Build()).Error == Errno.Ok);
    }

    private static long Inodes(CrashVolume volume)
    {
        var count = 0L;
        volume.Records.ForEach(RecordKind.Inode, _ => count++);
        return count;
    }

    [Theory]
    [InlineData(1), InlineData(5), InlineData(40), InlineData(90), InlineData(700), InlineData(1500)]
    public void Who_takes_up_a_removal_leaves_it_to_the_steps_beside_what_is_served(int killAt)
    {
        using var undisturbed = Populated();
        Assert.Equal(Errno.Ok, undisturbed.Files.DestroyPool("p", force: true));
        using var volume = Populated();
        var all = Inodes(volume);
        volume.KillAt = killAt;
        Assert.Throws<Killed>(() => volume.Files.DestroyPool("p", force: true));
        volume.KillAt = 0;
        var random = new Random(killAt);
        var left = Inodes(volume);
        for (var kills = 0; ;)
        {
            volume.Reopen();
            Assert.InRange(Inodes(volume), left - AStep, left);
            left = Inodes(volume);
            volume.AssertSound();
            if (volume.Files.Pools().Any(pool => pool.Name == "p"))
            {
                // It had not begun.
                Assert.Equal((all, 0), (left, volume.Files.RemovalsLeft));
                Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true));
                break;
            }
            if (volume.Files.RemovalsLeft == 0)
            {
                Assert.True(kills > 0 || killAt > Files, "there was something left");
                break;
            }
            kills++;
            // A few steps, and a kill during the next; the sixth round has no kill.
            for (var step = random.Next(3); step > 0 && kills < 6; step--) TakeStep();
            if (kills == 6)
            {
                var steps = 0;
                for (; volume.Files.DropSome(); steps++) Assert.InRange(left - Inodes(volume), 0, (steps + 1) * AStep);
                Assert.InRange(steps, left / AStep, left);
                break;
            }
            volume.KillAt = random.Next(1, 60);
            if (Record.Exception(TakeStep) is { } end) Assert.IsType<Killed>(end);
            volume.KillAt = 0;
            left = Inodes(volume);
        }
        volume.AssertSound();
        Assert.Equal(Snapshot.Of(undisturbed), Snapshot.Of(volume));
        volume.Reopen();
        Assert.False(volume.Files.DropSome());
        Assert.Equal(Snapshot.Of(undisturbed), Snapshot.Of(volume));

        void TakeStep()
        {
            var before = Inodes(volume);
            volume.Files.DropSome();
            Assert.InRange(before - Inodes(volume), 0, AStep);
            left = Inodes(volume);
            volume.AssertSound();
        }
    }

    [Fact]
    public void A_pool_of_the_same_name_is_made_and_used_while_the_old_one_is_still_going()
    {
        using var volume = Populated();
        volume.KillAt = 40;
        Assert.Throws<Killed>(() => volume.Files.DestroyPool("p", force: true));
        volume.KillAt = 0;
        volume.Reopen();
        Assert.Equal(Errno.Ok, volume.Files.CreatePool("p", new PoolOptions(PoolFlags.Persistent), 0x1ED, out _));
        Assert.Equal(Errno.Ok, volume.Send(MakeNode("p", "f1")(volume, volume.NextUnique()).Build()).Error);
        volume.Reopen();
        Assert.True(volume.Files.DropSome());
        // Another removal beside the unfinished one.
        Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true));
        volume.AssertSound();
        while (volume.Files.DropSome()) { }
        volume.AssertSound();
        volume.Files.DropKernelReferences();
        Assert.Equal(Kept, Inodes(volume));
    }

    /// <summary>The directory that has lost its name is held as long as names are below it, and no longer.</summary>
    [Theory]
    [InlineData(true), InlineData(false)]
    public void Whoever_forgets_the_directory_first_it_goes_last(bool forgottenAmid)
    {
        using var volume = Populated();
        var top = volume.Node("p");
        volume.KillAt = 40;
        Assert.Throws<Killed>(() => volume.Files.DestroyPool("p", force: true));
        volume.KillAt = 0;
        volume.Reopen();
        Assert.True(volume.Files.DropSome());
        if (forgottenAmid) Forget();
        volume.AssertSound();
        Assert.True(volume.Records.IsRecord(new RecordRef(top), RecordKind.Inode));
        while (volume.Files.DropSome()) { }
        volume.AssertSound();
        if (!forgottenAmid) Forget();
        Assert.False(volume.Records.IsRecord(new RecordRef(top), RecordKind.Inode));
        volume.AssertSound();

        void Forget() => volume.Files.Forget(TestVolume.Root, new NodeId(top), ulong.MaxValue);
    }

    /// <summary>
    /// Clients wait while a process attaches to the region: the pages of a large dead file go once clients are served.
    /// </summary>
    [Fact]
    public void Who_takes_up_a_large_dead_file_leaves_its_pages_to_the_steps()
    {
        const int pages = 5000;
        using var volume = new TestVolume(128 * TestVolume.Mebi);
        var pool = volume.Pool();
        var file = volume.File(pool, "f", TestVolume.Noise(pages * TestVolume.Page, 1));
        volume.Files.Forget(TestVolume.Root, file, 1);
        volume.Files.WorkLeft = () => { };
        Assert.Equal(Errno.Ok, volume.Unlink(pool, "f"));
        for (var attach = 0; attach < 2; attach++)
        {
            var before = volume.Engine.Statistics().Total.Pages;
            Assert.InRange(before, pages - attach * 1024 - 1024, pages);
            volume.Attach();
            volume.AssertSound();
            Assert.Equal(before, volume.Engine.Statistics().Total.Pages);
            Assert.True(volume.Files.DropSome());
            volume.AssertSound();
        }
        while (volume.Files.DropSome()) { }
        Assert.Equal(0, volume.Engine.Statistics().Total.Pages);
        Assert.Equal(Errno.ESTALE, volume.Files.GetAttributes(file, out _));
        volume.AssertSound();
    }

    [Fact]
    public void The_verifier_knows_which_directory_is_held()
    {
        using var volume = new TestVolume();
        var pool = volume.Pool();
        var directory = volume.Directory(pool, "d");
        volume.File(directory, "f");
        var records = volume.Engine.Records;
        ref var inode = ref records.Get<InodeRecord>(new RecordRef(directory.Value));
        inode.Raise(InodeFlags.Held);
        Assert.Contains("held for a removal", Assert.Single(volume.Files.Verify()), StringComparison.Ordinal);
        inode.Lower(InodeFlags.Held);
        inode.Links = 0;
        Assert.Contains("has lost its name", Assert.Single(volume.Files.Verify()), StringComparison.Ordinal);
        inode.Links = 2;
        volume.AssertSound();
        // An attach ignores what it finds here.
        inode.Raise(InodeFlags.Held);
        volume.Attach();
        volume.AssertSound();
    }
}
