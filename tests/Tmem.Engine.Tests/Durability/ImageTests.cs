using Tmds.Linux;
using Tmem.Engine.Durability;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Durability;

/// <summary>What checkpoints write, where, and what a later open makes of it.</summary>
public sealed class ImageTests
{
    private static readonly TmemClientId s_client = new(1);
    private static readonly ValuedPages s_pages = new(Pages.Text);

    [Fact]
    public void Closing_brings_everything_back_without_a_sync()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = s_pages.Fill(engine, 600);
        // The file is the image alone again: what an earlier version would have left.
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(disk.Length, again.Memory.Length);
        AssertFilled(again, pool, 600);
    }

    [Fact]
    public void Only_what_changed_is_written()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        var before = engine.Statistics().Durability.Pages;
        var moment = disk.Now;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(moment, disk.Now);
        s_pages.Put(engine, pool, 5, 77);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        // The new slot, the old one, the leaf, the span's entry.
        Assert.InRange(engine.Statistics().Durability.Pages - before, 1, 12);
    }

    [Fact]
    public void What_was_flushed_takes_no_disk()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        var full = disk.Contents.PagesBelow(engine.Memory.Length);
        Assert.InRange(full, 500, 2000);
        engine.Client(s_client).DestroyPool(pool);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        // The rest: tables, and spans kept ready for the next pages.
        Assert.InRange(disk.Contents.PagesBelow(engine.Memory.Length), 1, full / 4);
    }

    /// <summary>
    /// A hole punch is no write to the kernel: memory that stood ready at one checkpoint, is given back before the next, and is
    /// populated again with old contents, for the slots of a span that has another kind by then.
    /// </summary>
    [Fact]
    public void The_image_is_the_memory_where_it_was_punched_too()
    {
        var memory = RegionMemory.CreateDescriptor();
        var disk = new SimulatedDisk();
        using var engine = Open(disk, memory: memory);
        var pool = s_pages.Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        engine.Client(s_client).DestroyPool(pool);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.NotEqual(0, engine.Statistics().ReadySpanBytes);
        engine.Compact();
        Assert.Equal(0, engine.Statistics().ReadySpanBytes);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        Images.AssertIsMemory(engine, disk);
    }

    /// <summary>The image need not hold what an attach rebuilds; with the first change it gets all of it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_an_attach_has_made_is_written_with_the_first_change(bool outlives)
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk))
        {
            pool = s_pages.Fill(engine, 2000);
            for (uint i = 0; i < 2000; i += 3) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        }
        var moment = disk.Now;
        using var attached = Open(disk, outlives ? RegionMemory.CreateDescriptor() : -1);
        Assert.True(attached.Attached);
        Assert.Equal(TmemStatus.Ok, attached.Sync());
        Assert.Equal(moment, disk.Now);
        s_pages.Put(attached, pool, 5, 77);
        Assert.Equal(TmemStatus.Ok, attached.Sync());
        WaitForApply(attached);
        Images.AssertIsMemory(attached, disk);
    }

    /// <summary>
    /// A recovered journal writes into holes of the image, which then have blocks that nobody reserved: pages of zeros must be
    /// punched there.
    /// </summary>
    [Fact]
    public void What_a_found_journal_has_written_is_punched_when_it_is_gone()
    {
        var disk = new SimulatedDisk();
        SparseBytes? journaled = null;
        PoolId raw;
        var pages = new ValuedPages(Pages.Random);
        using (var engine = Open(disk))
        {
            var text = s_pages.Fill(engine, 500);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            WaitForApply(engine);
            // Its chunk begins with zeros, in place of pages that the image holds, and continues with pages that it lacks.
            raw = pages.Fill(engine, 200);
            engine.Client(s_client).DestroyPool(text);
            engine.Compact();
            engine.Checkpoint!.OnStep = step => { if (step == CheckpointStep.Apply) journaled ??= disk.Contents; };
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            WaitForApply(engine);
        }
        var found = new SimulatedDisk(journaled);
        using var next = Open(found);
        pages.AssertHolds(next, raw, 200);
        next.Client(s_client).DestroyPool(raw);
        next.Compact();
        Assert.Equal(TmemStatus.Ok, next.Sync());
        WaitForApply(next);
        Images.AssertIsMemory(next, found);
    }

    [Fact]
    public void A_successor_in_the_same_memory_brings_the_image_up_to_date()
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        using var dead = Open(disk, memory: LibC.dup(memory));
        var pool = s_pages.Fill(dead, 500);
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        WaitForApply(dead);
        for (uint i = 0; i < 100; i++) s_pages.Put(dead, pool, i, (int)i + 9000);
        dead.Client(s_client).FlushPage(pool, new ObjectId(1), 499);

        // None of that was synced, and the engine that tracked the writes is gone.
        var after = new SimulatedDisk(disk.Contents);
        using (var successor = Open(after, memory: memory))
        {
            Assert.True(successor.Attached);
            Assert.Equal(9007, s_pages.Value(successor, pool, 7));
            Assert.Equal(TmemStatus.Ok, successor.Sync());
            Assert.InRange(successor.Statistics().Durability.Pages, 1, 400);
            using var again = Open(new SimulatedDisk(after.Contents));
            Engines.AssertSound(again);
            Assert.Equal(9099, s_pages.Value(again, pool, 99));
            Assert.Equal(100, s_pages.Value(again, pool, 100));
            Assert.Equal(-1, s_pages.Value(again, pool, 499));
        }
    }

    [Fact]
    public unsafe void Memory_that_was_half_loaded_is_loaded_again()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = s_pages.Fill(engine, 300);
        var memory = RegionMemory.CreateDescriptor();
        Assert.Equal(0, LibC.ftruncate(memory, disk.Length));
        var rubbish = stackalloc byte[4096];
        new Span<byte>(rubbish, 4096).Fill(7);
        Assert.Equal(4096, (long)LibC.pwrite(memory, rubbish, 4096, 1 << 20));
        using var again = Open(new SimulatedDisk(disk.Contents), memory: memory);
        AssertFilled(again, pool, 300);
    }

    [Fact]
    public unsafe void A_commit_record_counts_for_its_own_chunks_alone()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = s_pages.Fill(engine, 10);
        var ends = disk.Contents.Length;
        var journals = new[] { 1, 2 }.Select(value =>
        {
            var one = new SimulatedDisk(disk.Contents);
            using var engine = Open(one);
            s_pages.Put(engine, pool, 3, value);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            return one.Contents;
        }).ToList();
        foreach (var head in journals)
        {
            // Both have number 1, and so have their chunks; only the hash of hashes tells them apart.
            var mixed = journals[0].Copy();
            var page = new byte[4096];
            head.Read(ends, page);
            mixed.Write(ends, page);
            using var journal = new Journal(new SimulatedDisk(mixed), ends);
            Assert.Equal(0, journal.Find(out var complete));
            Assert.Equal(head == journals[0], complete);
        }
    }

    [Fact]
    public void The_image_of_another_region_is_refused()
    {
        var disk = new SimulatedDisk();
        Open(disk, capacity: 32).Dispose();
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(new SimulatedDisk(), memory: LibC.dup(memory));
        Assert.Contains("another region", Assert.Throws<RegionException>(() => Open(disk, memory: memory)).Message,
            StringComparison.Ordinal);
    }

    private static TmemEngine Open(SimulatedDisk disk, int memory = -1, int capacity = 16)
    {
        var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = capacity * Engines.Mebi, ImageFile = disk, RegionDescriptor = memory, SyncInterval = TimeSpan.Zero,
            CompactInBackground = false,
        });
        Trackers.AssertIs(engine);
        return engine;
    }

    private static void AssertFilled(TmemEngine engine, PoolId pool, int pages)
    {
        Engines.AssertSound(engine);
        s_pages.AssertHolds(engine, pool, pages);
    }

    /// <summary>A second sync begins when the first has been applied.</summary>
    private static void WaitForApply(TmemEngine engine) => Assert.Equal(TmemStatus.Ok, engine.Sync());
}
