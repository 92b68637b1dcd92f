using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>Real memory: the store counts it, stays within the capacity, and gives it back.</summary>
[Collection(WholeProcess.Name)]
public sealed class MemoryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    public void The_capacity_is_never_exceeded_and_a_full_store_is_full(int mebi)
    {
        using var engine = Engines.Still(mebi * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        uint index = 0;
        while (client.Put(pool, new ObjectId(1), index, Pages.Random((int)index)) == TmemStatus.Ok) index++;
        var statistics = engine.Statistics();
        Assert.InRange(statistics.UsedBytes, statistics.CapacityBytes * 9 / 10, statistics.CapacityBytes);
        Assert.Equal(1, statistics.Total.PutsNoRoom);
        Engines.AssertSound(engine);

        client.FlushObject(pool, new ObjectId(1));
        var empty = engine.Statistics();
        Assert.Equal(0, empty.PageSpanBytes);
        Assert.InRange(empty.UsedBytes, 0, Math.Max(3 * Engines.Mebi, statistics.UsedBytes / 2));
        for (uint i = 0; i < index; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
    }

    /// <summary>The multiplication that replaces a division gives the same result, at every slot's first and last byte.</summary>
    [Fact]
    public void Every_offset_in_a_span_finds_its_slot()
    {
        for (var sizeClass = 0; sizeClass < SizeClasses.Count; sizeClass++)
        {
            var size = SizeClasses.Size(sizeClass);
            for (var offset = 0; offset < RegionLayout.SpanBytes; offset += size)
            {
                Assert.Equal(offset / size, SizeClasses.SlotAt(sizeClass, (ulong)offset));
                Assert.Equal(offset / size,
                    SizeClasses.SlotAt(sizeClass, (ulong)Math.Min(offset + size, RegionLayout.SpanBytes) - 1));
            }
        }
    }

    [Fact]
    public void The_system_sees_the_memory_come_back()
    {
        using var engine = Engines.Anonymous(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var before = Resident(engine.Memory);
        for (uint i = 0; i < 20_000; i++) client.Put(pool, new ObjectId(1), i, Pages.Random((int)i % 50));
        var full = Resident(engine.Memory);
        Assert.True(full - before > 70 * Engines.Mebi, $"{full - before} bytes more resident after 78 MiB of raw pages");
        client.FlushObject(pool, new ObjectId(1));
        Assert.True(full - Resident(engine.Memory) > 60 * Engines.Mebi, $"only {full - Resident(engine.Memory)} bytes came back");
    }

    [Fact]
    public void Ephemeral_pages_make_room_for_persistent_ones()
    {
        using var engine = Engines.Anonymous(8 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var ephemeral = Engines.Pool(client, PoolFlags.None);
        var persistent = Engines.Pool(client);
        for (uint i = 0; i < 5000; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(ephemeral, new ObjectId(i), 0, Pages.Random((int)i)));
        uint stored = 0;
        while (client.Put(persistent, new ObjectId(1), stored, Pages.Random((int)stored)) == TmemStatus.Ok) stored++;
        Assert.True(stored > 1700, $"{stored} raw pages fit where nearly 2,000 should");
        Assert.Equal(0, Engines.Figures(client, ephemeral).Pages);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Ephemeral_pages_without_slots_make_room_too()
    {
        using var engine = Engines.Anonymous(Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var ephemeral = Engines.Pool(client, PoolFlags.Shared);
        // Zero pages far apart: no slots, but enough nodes and objects to fill the store.
        for (uint i = 0; i < 20_000; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(ephemeral, new ObjectId(i % 5000), i * 10_000, Pages.Filled(0)));
        Assert.True(Engines.Figures(client, ephemeral).Evictions > 0);
        var persistent = Engines.Pool(client);
        for (uint i = 0; i < 100; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(persistent, new ObjectId(1), i, Pages.Random((int)i)));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_page_read_since_the_hand_passed_stays_longer()
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.Shared);
        var page = new byte[Pages.Size];
        for (uint i = 0; i < 400; i++) client.Put(pool, new ObjectId(1), i, Pages.Random((int)i));
        for (uint i = 400; i < 4000; i++)
        {
            client.Put(pool, new ObjectId(1), i, Pages.Random((int)i));
            client.Get(pool, new ObjectId(1), i % 100, page);
        }
        var hot = Enumerable.Range(0, 100).Count(i => client.Get(pool, new ObjectId(1), (uint)i, page) == TmemStatus.Ok);
        var cold = Enumerable.Range(100, 300).Count(i => client.Get(pool, new ObjectId(1), (uint)i, page) == TmemStatus.Ok);
        Assert.True(hot > 90 && cold < 30, $"{hot} of 100 pages in use stayed, {cold} of 300 unused ones");
    }

    [Fact]
    public void When_every_page_is_in_use_some_pages_still_go()
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.Shared);
        var page = new byte[Pages.Size];
        for (uint i = 0; i < 2000; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
            Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(1), i, page));
        }
    }

    /// <summary>
    /// The private memory that the system holds for a region; without the garbage collector's, which comes and goes.
    /// </summary>
    private static unsafe long Resident(RegionMemory memory)
    {
        var pages = new byte[memory.Length / RegionLayout.PageSize];
        fixed (byte* of = pages) Assert.Equal(0, LibC.mincore(memory.Start, (size_t)(ulong)memory.Length, of));
        return pages.LongCount(page => (page & 1) != 0) * RegionLayout.PageSize;
    }
}
