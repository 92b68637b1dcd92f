using Tmds.Linux;
using Tmem.Engine.Durability;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A process dies while another holds the memory: its successor knows what the image lacks without reading it, whenever the death
/// occurred.
/// </summary>
public sealed unsafe class SuccessorTests
{
    private static readonly TmemClientId s_client = new(1);
    private static readonly ObjectId s_object = new(1);
    private static readonly ValuedPages s_pages = new(Pages.Random);

    [Fact]
    public void The_first_checkpoint_of_a_successor_reads_no_image()
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        var dead = Open(disk, LibC.dup(memory));
        var pool = Engines.Pool(dead.Client(s_client));
        for (uint i = 0; i < 2000; i++) s_pages.Put(dead, pool, i, (int)i);
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        // The record of the image is not counted as stray memory of the region.
        Assert.InRange(dead.Slabs.Spans.StrayBytes(), long.MinValue, 4096);
        s_pages.Put(dead, pool, 7, 7777);
        var after = new SimulatedDisk(disk.Contents);
        var reads = 0;
        after.Before = what => { if (what == "read") Interlocked.Increment(ref reads); };
        using var successor = Open(after, memory);
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        // The superblock, the journal's head, and a journal's chunks; the image alone would take more than eight reads.
        Assert.InRange(reads, 1, 8);
        Assert.InRange(successor.Statistics().Durability.Pages, 1, 30);
        using var again = Open(new SimulatedDisk(after.Contents), -1);
        Assert.Equal(7777, s_pages.Value(again, pool, 7));
        Assert.Equal(1999, s_pages.Value(again, pool, 1999));
        dead.Dispose();
    }

    /// <summary>
    /// At every disk operation and every step of a checkpoint: what the record claims about the image is true once the journal is
    /// applied, and a successor's image equals its memory.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Killed_anywhere_a_successor_makes_the_image_what_the_memory_is(bool diskFails)
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        var engine = Open(disk, LibC.dup(memory));
        var pool = Engines.Pool(engine.Client(s_client));
        var random = new Random(4);
        for (uint i = 0; i < 60; i++) s_pages.Put(engine, pool, i, (int)i);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        var deaths = new List<(int Memory, SparseBytes Disk)>();
        var every = 0;
        var gate = new object();
        var isOver = false;
        disk.Before = _ => Die();
        engine.Checkpoint!.OnStep = step =>
        {
            // A thread works while pages are copied; its pages come and go.
            if (step is CheckpointStep.Round or CheckpointStep.Apply) Work();
            Die();
        };
        for (var round = 0; round < 14; round++)
        {
            Work();
            if (diskFails && round % 3 == 1)
                disk.Fails = what => what is "sync" or "punch" && random.Next(2) == 0 ? LibC.ENOSPC : 0;
            _ = engine.Sync();
            disk.Fails = null;
        }
        // Until the last is applied.
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Before = null;
        engine.Checkpoint.OnStep = null;
        // What is still in flight is no longer recorded.
        lock (gate) isOver = true;
        Assert.True(deaths.Count > 60, $"{deaths.Count} deaths only");
        foreach (var (left, image) in deaths) CheckDeath(left, image);
        engine.Dispose();
        _ = LibC.close(memory);

        void Work()
        {
            for (var i = 0; i < 12; i++)
            {
                var index = (uint)random.Next(60);
                // Two values a page, so that it returns to an earlier one. Not while a death is recorded.
                lock (gate)
                {
                    if (random.Next(4) == 0) engine.Client(s_client).FlushPage(pool, s_object, index);
                    else s_pages.Put(engine, pool, index, (int)index + 1000 * random.Next(2));
                }
            }
        }

        void Die()
        {
            if (!Monitor.TryEnter(gate)) return;
            try { if (!isOver && every++ % 2 == 0) deaths.Add((CopyOf(memory), disk.Contents)); }
            finally { Monitor.Exit(gate); }
        }
    }

    [Fact]
    public void What_an_older_program_left_is_compared_with_the_image()
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        var dead = Open(disk, LibC.dup(memory));
        var pool = Engines.Pool(dead.Client(s_client));
        for (uint i = 0; i < 50; i++) s_pages.Put(dead, pool, i, (int)i);
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        // A program without hashes has opened it meanwhile, and changed memory and image.
        ((Superblock*)dead.Memory.Start)->Generation++;
        var changed = disk.Contents;
        for (var page = 20; page < 40; page++) changed.Write(page * 4096, Pages.Random(page));
        var found = new SimulatedDisk(changed);
        using var successor = Open(found, memory);
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        Images.AssertIsMemory(successor, found);
        dead.Dispose();
    }

    private static void CheckDeath(int memory, SparseBytes image)
    {
        // As the next process finds the image: with its journal applied.
        var length = LengthOf(memory);
        using (var hashes = ImageHashes.TryCreate(RegionMemory.FromDescriptor(LibC.dup(memory), length, false, "a copy"))!)
        {
            var disk = new SimulatedDisk(image);
            using var journal = new Journal(disk, length);
            Assert.Equal(0, journal.Find(out var complete));
            if (complete) Assert.Equal(0, journal.Apply());
            var page = new byte[4096];
            for (long at = 0; at < 300; at++)
            {
                disk.Contents.Read(at * 4096, page);
                Assert.True(hashes.Allows(at, page), $"page {at} of the image is not what is known of it");
            }
        }
        var after = new SimulatedDisk(image);
        using var successor = Open(after, memory);
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        Images.AssertIsMemory(successor, after);
    }

    private static long LengthOf(int memory)
    {
        Superblock superblock;
        Assert.True((long)LibC.pread(memory, &superblock, (size_t)(ulong)sizeof(Superblock), 0) == sizeof(Superblock));
        return RegionLayout.HeaderBytes(superblock.SpanCount) + superblock.SpanCount * RegionLayout.SpanBytes;
    }

    private static int CopyOf(int memory)
    {
        var copy = RegionMemory.CreateDescriptor();
        Assert.Equal(0, LibC.ftruncate(copy, FileFacts.LengthOf(memory, "the memory")));
        var buffer = new byte[1 << 20];
        for (long from = 0; FileFacts.NextData(memory, from, out var start, out var end); from = end)
        {
            fixed (byte* p = buffer)
            {
                for (var at = start; at < end; at += buffer.Length)
                {
                    var length = (size_t)(ulong)Math.Min(buffer.Length, end - at);
                    Assert.Equal((long)(ulong)length, (long)LibC.pread(memory, p, length, at));
                    Assert.Equal((long)(ulong)length, (long)LibC.pwrite(copy, p, length, at));
                }
            }
        }
        return copy;
    }

    private static TmemEngine Open(SimulatedDisk disk, int memory) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 8 * Engines.Mebi, ImageFile = disk, RegionDescriptor = memory, SyncInterval =
            TimeSpan.Zero, CompactInBackground = false,
    });
}
