using Tmds.Linux;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>A region held in pages of 2 MiB: the same pages, and the same account of memory, to the page.</summary>
public sealed class HugeBlocksTests
{
    private const uint Many = 30_000;
    private static readonly ObjectId s_object = new(5);
    private static readonly byte[][] s_pages = [.. Enumerable.Range(0, 100).Select(seed => Pages.Text(seed))];

    [Fact]
    public void What_is_full_becomes_huge_and_takes_no_more_memory()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(LibC.dup(memory));
        var pool = Fill(engine);
        var before = BlocksOf(memory);
        Assert.Equal(engine.Statistics().UsedBytes / 4096, before / 4096, tolerance: 16);
        MakeAll(engine);
        Assert.Equal(before, BlocksOf(memory));
        Assert.InRange(HugeBytesOfThisMapping(engine), engine.Huge!.Count * HugeBlocks.BlockBytes, long.MaxValue);
        AssertThere(engine, pool, _ => true);
        Assert.False(engine.Huge.Step());
        _ = LibC.close(memory);
    }

    [Fact]
    public void Holes_give_back_what_they_always_did()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(LibC.dup(memory));
        var pool = Fill(engine);
        MakeAll(engine);
        var made = engine.Huge!.Count;
        // Half of the pages go; compaction empties some spans and trims others.
        for (uint i = 0; i < Many; i += 2) engine.Client(new TmemClientId(1)).FlushPage(pool, s_object, i);
        engine.Compact();
        Assert.InRange(engine.Huge.Count, 0, made - 1);
        Assert.Equal(engine.Statistics().UsedBytes / 4096, BlocksOf(memory) / 4096, tolerance: 16);
        AssertThere(engine, pool, index => index % 2 == 1);
        // What fills up again becomes huge again.
        for (uint i = 0; i < Many; i += 2) engine.Client(new TmemClientId(1)).Put(pool, s_object, i, s_pages[i % 100]);
        var broken = engine.Huge.Count;
        while (engine.Huge.Step()) { }
        Assert.InRange(engine.Huge.Count, broken + 1, long.MaxValue);
        AssertThere(engine, pool, _ => true);
        _ = LibC.close(memory);
    }

    /// <summary>The system fills the holes of what it makes huge: memory that nobody accounts for.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_hole_is_punched_into_a_block_that_is_being_made(uint step)
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(LibC.dup(memory));
        var pool = Fill(engine);
        var held = 0L;
        engine.Huge!.WhileHeld = () =>
        {
            engine.Huge.WhileHeld = null;
            for (uint i = 0; i < Many; i += step) engine.Client(new TmemClientId(1)).FlushPage(pool, s_object, i);
            engine.Compact();
            engine.Shrink(0);
            held = engine.Statistics().UsedBytes;
        };
        if (!engine.Huge.Step()) Skip();
        AssertThere(engine, pool, index => index % step != 0);
        Assert.Equal(held / 4096, BlocksOf(memory) / 4096, tolerance: 16);
        // The memory that had to stay meanwhile goes now.
        engine.Compact();
        engine.Shrink(0);
        if (step == 1) Assert.InRange(engine.Statistics().UsedBytes, 0, held - HugeBlocks.BlockBytes);
        Assert.Equal(engine.Statistics().UsedBytes / 4096, BlocksOf(memory) / 4096, tolerance: 16);
        _ = LibC.close(memory);
    }

    [Fact]
    public void Spans_empty_and_fill_while_blocks_are_made()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(LibC.dup(memory));
        var pool = Fill(engine);
        var client = engine.Client(new TmemClientId(1));
        var stop = false;
        var maker = new Thread(() => { while (!Volatile.Read(ref stop)) engine.Huge!.Step(); });
        maker.Start();
        for (var round = 0; round < 8; round++)
        {
            for (uint i = 0; i < Many; i++) if ((i + round) % 3 != 0) client.FlushPage(pool, s_object, i);
            engine.Compact();
            for (uint i = 0; i < Many; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, s_object, i, s_pages[i % 100]));
        }
        Volatile.Write(ref stop, true);
        maker.Join();
        AssertThere(engine, pool, _ => true);
        engine.Compact();
        engine.Shrink(0);
        Assert.Equal(engine.Statistics().UsedBytes / 4096, BlocksOf(memory) / 4096, tolerance: 16);
        _ = LibC.close(memory);
    }

    [Fact]
    public void Whoever_maps_the_region_next_finds_it_huge_and_whole()
    {
        var memory = RegionMemory.CreateDescriptor();
        PoolId pool;
        using (var engine = Open(LibC.dup(memory)))
        {
            pool = Fill(engine);
            MakeAll(engine);
        }
        using (var engine = Open(memory))
        {
            AssertThere(engine, pool, _ => true);
            Assert.InRange(HugeBytesOfThisMapping(engine), HugeBlocks.BlockBytes, long.MaxValue);
        }
    }

    [Fact]
    public void Private_memory_and_a_region_in_a_file_stay_as_they_are()
    {
        using (var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 64 * Engines.Mebi, HugePages = true }))
            Assert.Null(engine.Huge);
        var path = Path.Combine(Path.GetTempPath(), $"tmem-huge-{Guid.NewGuid():N}.region");
        using (var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 64 * Engines.Mebi, HugePages = true, RegionPath = path,
        })) Assert.Null(engine.Huge);
        File.Delete(path);
    }

    private static TmemEngine Open(int memory) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 256 * Engines.Mebi, RegionDescriptor = memory, CompactInBackground = false, HugePages = true,
    });

    private static PoolId Fill(TmemEngine engine)
    {
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < Many; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, s_object, i, s_pages[i % 100]));
        return pool;
    }

    private static void MakeAll(TmemEngine engine)
    {
        while (engine.Huge!.Step()) { }
        if (engine.Huge.Count == 0) Skip();
    }

    /// <summary>
    /// Skips only if the system gives no page of 2 MiB at all: it asks for one in memory that does not belong to the engine.
    /// </summary>
    private static unsafe void Skip()
    {
        const int collapse = 25;
        const long block = HugeBlocks.BlockBytes;
        var descriptor = RegionMemory.CreateDescriptor();
        Assert.Equal(0, LibC.ftruncate(descriptor, 2 * block));
        var start = (ulong)LibC.mmap(null, (size_t)(ulong)(3 * block), LibC.PROT_NONE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS, -1,
            0);
        var aligned = (byte*)((start + block - 1) / block * block);
        LibC.mmap(aligned, (size_t)(ulong)block, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_SHARED | LibC.MAP_FIXED, descriptor,
            0);
        new Span<byte>(aligned, (int)block).Fill(1);
        var given = LibC.madvise(aligned, (size_t)(ulong)block, collapse) == 0;
        _ = LibC.munmap((void*)start, (size_t)(ulong)(3 * block));
        _ = LibC.close(descriptor);
        Assert.False(given && HugeBlocks.HasSystemMemory(), "the system gives pages of 2 MiB, and the engine got none");
        Assert.Skip("the system gives no page of 2 MiB: a kernel before 6.1, or little memory");
    }

    private static void AssertThere(TmemEngine engine, PoolId pool, Func<uint, bool> there)
    {
        Engines.AssertSound(engine);
        var page = new byte[Pages.Size];
        for (uint i = 0; i < Many; i++)
        {
            var status = engine.Client(new TmemClientId(1)).Get(pool, s_object, i, page);
            Assert.Equal(there(i) ? TmemStatus.Ok : TmemStatus.Miss, status);
            if (status == TmemStatus.Ok) Assert.True(s_pages[i % 100].AsSpan().SequenceEqual(page), $"page {i}");
        }
    }

    private static unsafe long BlocksOf(int memory)
    {
        stat status;
        Assert.Equal(0, LibC.fstat(memory, &status));
        return (long)status.st_blocks * 512;
    }

    private static unsafe long HugeBytesOfThisMapping(TmemEngine engine)
    {
        var start = $"{(ulong)engine.Memory.Start:x}-";
        var isOurs = false;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.StartsWith(start, StringComparison.Ordinal)) isOurs = true;
            else if (isOurs && line.StartsWith("ShmemPmdMapped:", StringComparison.Ordinal))
                return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                    System.Globalization.CultureInfo.InvariantCulture) * 1024;
        }
        throw new InvalidOperationException("the region is not among this process's mappings");
    }
}
