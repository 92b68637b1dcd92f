using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A page changes between the scan that lists it and the copy that the image takes of it, and changes back before the next scan:
/// the image must not keep what it took. With hashes in place of write tracking, the two scans see one content.
/// </summary>
public sealed unsafe class ReturningPageTests
{
    private static readonly ValuedPages s_pages = new(Pages.Random);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_returns_while_it_is_copied_is_copied_again(bool withoutTracking)
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk, withoutTracking);
        // More than a journal gathers before it writes: the first write comes between the scan and the copy of the last pages.
        s_pages.Fill(engine, 2000);
        var word = LateWord(engine);
        var content = *word;
        var (changed, returned) = (false, false);
        disk.Before = what =>
        {
            if (what != "write" || changed) return;
            changed = true;
            *word = ~content;
        };
        engine.Checkpoint!.OnStep = _ =>
        {
            if (!changed || returned) return;
            returned = true;
            *word = content;
        };
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.True(returned, "nothing was written while pages were copied; the test tests nothing");
        // The second begins once the journal of the first is applied.
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Images.AssertIsMemory(engine, disk);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_returns_while_it_is_compared_is_copied(bool withoutTracking)
    {
        const int reads = 20;
        var duringComparison = 0;
        for (var read = 1; read <= reads; read++)
        {
            var disk = new SimulatedDisk();
            var memory = RegionMemory.CreateDescriptor();
            using var dead = Open(disk, withoutTracking, LibC.dup(memory));
            var pool = s_pages.Fill(dead, 1500);
            var place = (long)((byte*)LateWord(dead) - dead.Memory.Start);
            Assert.Equal(TmemStatus.Ok, dead.Sync());
            // The journal that lies in the file has none of those pages.
            s_pages.Put(dead, pool, 0, 1);
            Assert.Equal(TmemStatus.Ok, dead.Sync());
            // As after a program that keeps no hashes: the successor compares with the image, which has something else in a page.
            ((Superblock*)dead.Memory.Start)->Generation++;
            var content = *(ulong*)(dead.Memory.Start + place);
            var image = disk.Contents;
            image.Write(place, BitConverter.GetBytes(~content));
            var found = new SimulatedDisk(image);
            using var successor = Open(found, withoutTracking, memory);
            var word = (ulong*)(successor.Memory.Start + place);
            var (changes, returns) = (read, read + 1);
            var returned = false;
            found.Before = what =>
            {
                if (what != "read") return;
                if (--changes == 0) *word = ~content;
                if (--returns != 0) return;
                returned = true;
                *word = content;
            };
            Assert.Equal(TmemStatus.Ok, successor.Sync());
            found.Before = null;
            // Until the last is applied.
            Assert.Equal(TmemStatus.Ok, successor.Sync());
            Assert.Equal(TmemStatus.Ok, successor.Sync());
            Images.AssertIsMemory(successor, found);
            if (returned) duringComparison++;
        }
        Assert.InRange(duringComparison, 5, reads);
    }

    /// <summary>A word of some stored page, near the end of what is in use and before where the next page goes.</summary>
    private static ulong* LateWord(TmemEngine engine)
    {
        var at = (long)engine.Slabs.Spans.PlaceOf((uint)engine.Slabs.Spans.HighWater);
        const int before = 16;
        do at -= Pages.Size; while (*(ulong*)(engine.Memory.Start + at) == 0);
        return (ulong*)(engine.Memory.Start + at - before * Pages.Size);
    }

    private static TmemEngine Open(SimulatedDisk disk, bool withoutTracking, int memory = -1)
    {
        var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 16 * Engines.Mebi, ImageFile = disk, RegionDescriptor = memory, SyncInterval = TimeSpan.Zero,
            CompactInBackground = false, WithoutWriteTracking = withoutTracking,
        });
        Trackers.AssertIs(engine, withoutTracking);
        return engine;
    }
}
