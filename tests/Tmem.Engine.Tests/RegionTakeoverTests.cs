using Tmds.Linux;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>A region that another engine still serves is prepared, changes meanwhile, and is then taken over as it is by then.</summary>
public class RegionTakeoverTests
{
    private static readonly ClientId s_client = new(1);
    private static readonly ObjectId s_object = new(1);

    [Fact]
    public void WhatChangedAfterItWasPreparedIsThereWhenItIsOpened()
    {
        var memory = RegionMemory.CreateDescriptor();
        RegionTakeover takeover;
        PoolId pool;
        using (var engine = TmemEngine.Open(Options(LibC.dup(memory))))
        {
            pool = Engines.Pool(engine.Client(s_client));
            for (uint i = 0; i < 5000; i++) Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
            takeover = RegionTakeover.Prepare(Options(memory));
            // Memory that is mapped there goes, other memory comes.
            for (uint i = 0; i < 4000; i++) Assert.Equal(TmemStatus.Ok, engine.Client(s_client).FlushPage(pool, s_object, i));
            engine.Compact(int.MaxValue);
            for (uint i = 8000; i < 12000; i++) Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
        }
        using (takeover)
        using (var engine = takeover.Open())
        {
            Assert.True(engine.Attached);
            Engines.AssertSound(engine);
            var page = new byte[Pages.Size];
            for (uint i = 0; i < 12000; i++)
            {
                var there = i is >= 4000 and < 5000 or >= 8000;
                Assert.Equal(there ? TmemStatus.Ok : TmemStatus.Miss, engine.Client(s_client).Get(pool, s_object, i, page));
                if (there) Assert.Equal(Pages.Any((int)i), page);
            }
        }
    }

    [Fact]
    public unsafe void WhatARegionGrowsByIsMadePresentByRefresh()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = TmemEngine.Open(Options(LibC.dup(memory)));
        using var takeover = RegionTakeover.Prepare(Options(memory));
        var pool = Engines.Pool(engine.Client(s_client));
        var before = PresentBytes(takeover.Memory!);
        for (uint i = 0; i < 5000; i++) Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
        Assert.Equal(before, PresentBytes(takeover.Memory!));
        takeover.Refresh();
        Assert.InRange(PresentBytes(takeover.Memory!), engine.Statistics().PageSpanBytes, long.MaxValue);
    }

    /// <summary>What this mapping has in its page tables.</summary>
    private static unsafe long PresentBytes(RegionMemory memory) =>
        long.Parse(File.ReadLines("/proc/self/smaps").SkipWhile(line => !line.StartsWith($"{(long)memory.Start:x}-", StringComparison.Ordinal))
            .First(line => line.StartsWith("Rss:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) << 10;

    [Fact]
    public unsafe void PreparingIsRefusedAsOpeningWouldBe()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = TmemEngine.Open(Options(memory));
        var options = new EngineOptions { CapacityBytes = 100_000 * Engines.Mebi, RegionDescriptor = memory };
        Assert.Contains("was made for a capacity", Assert.Throws<RegionException>(() => RegionTakeover.Prepare(options)).Message, StringComparison.Ordinal);
        engine.Memory.Start[8]++; // the version
        Assert.Contains("format version", Assert.Throws<RegionException>(() => RegionTakeover.Prepare(Options(memory))).Message, StringComparison.Ordinal);
        engine.Memory.Start[8]--;
        // What was prepared and is not needed leaves the one that serves alone.
        RegionTakeover.Prepare(Options(LibC.dup(memory))).Dispose();
        Engines.AssertSound(engine);
    }

    [Fact]
    public void MemoryWithoutARegionYetIsMadeOneWhenItIsOpened()
    {
        using var takeover = RegionTakeover.Prepare(Options(RegionMemory.CreateDescriptor()));
        using var engine = takeover.Open();
        Assert.False(engine.Attached);
        Engines.AssertSound(engine);
    }

    private static EngineOptions Options(int memory) => new() { CapacityBytes = 64 * Engines.Mebi, RegionDescriptor = memory, CompactInBackground = false };
}
