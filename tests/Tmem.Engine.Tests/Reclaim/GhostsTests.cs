using Tmem.Engine.Reclaim;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Reclaim;

/// <summary>What is remembered of evicted pages, for how long, and what memory it takes.</summary>
public sealed class GhostsTests : IDisposable
{
    private const long Capacity = 64 * Engines.Mebi;

    private readonly TmemEngine _engine = Engines.Anonymous(Capacity);
    private readonly Ghosts _ghosts;

    public GhostsTests() => _ghosts = new Ghosts(_engine.Slabs.Spans);

    public void Dispose()
    {
        _ghosts.Dispose();
        _engine.Dispose();
    }

    [Fact]
    public void A_page_is_remembered_until_it_returns_with_what_it_was_and_how_long_ago()
    {
        Assert.True(_ghosts.TryFit(Capacity));
        _ghosts.Remember(Name(7, 4), wasKept: false);
        _ghosts.Remember(Name(7, 2), wasKept: true);
        _ghosts.Remember(Name(8, 1), wasKept: true);
        _ghosts.Remember(Name(7, 0), wasKept: false);
        Assert.Equal((2, false), Take(Name(7, 4)));
        Assert.Equal((1, true), Take(Name(7, 2)));
        Assert.Equal((0, false), Take(Name(7, 0)));
        Assert.Equal((0, true), Take(Name(8, 1)));
        Assert.Equal((-1, false), Take(Name(8, 1)));
        Assert.Equal((-1, false), Take(Name(7, 3)));
    }

    [Fact]
    public void The_oldest_of_a_row_is_forgotten_first()
    {
        Assert.True(_ghosts.TryFit(Capacity));
        for (ulong i = 1; i <= Ghosts.Ways + 2; i++) _ghosts.Remember(Name(3, i), wasKept: i % 3 == 0);
        Assert.Equal(-1, Take(Name(3, 1)).Age);
        Assert.Equal(-1, Take(Name(3, 2)).Age);
        for (ulong i = 3; i <= Ghosts.Ways + 2; i++)
            Assert.Equal(((int)(Ghosts.Ways + 2 - i), i % 3 == 0), Take(Name(3, i)));
    }

    [Fact]
    public void Few_pages_are_taken_for_others()
    {
        Assert.True(_ghosts.TryFit(Capacity));
        var random = new Random(1);
        for (var i = 0; i < 3 * _ghosts.Marks; i++) _ghosts.Remember((ulong)random.NextInt64(), wasKept: false);
        var wrong = Enumerable.Range(0, 100_000).Count(_ => Take((ulong)random.NextInt64()).Age >= 0);
        // A row of 32 with marks of 15 bits: one in 1,024.
        Assert.InRange(wrong, 50, 200);
    }

    [Fact]
    public void The_account_has_a_thousandth_of_the_capacity()
    {
        var before = _engine.Statistics().UsedBytes;
        Assert.True(_ghosts.TryFit(Capacity));
        Assert.Equal(Capacity / 1024, _ghosts.Bytes);
        Assert.Equal(before + _ghosts.Bytes, _engine.Statistics().UsedBytes);
        Assert.False(_ghosts.TryFit(2048 * Capacity));
        Assert.Equal(Capacity / 1024, _ghosts.Bytes);
        _ghosts.Dispose();
        Assert.Equal(before, _engine.Statistics().UsedBytes);
        Assert.Equal(-1, Take(Name(1, 1)).Age);
    }

    [Fact]
    public void Only_a_store_with_an_ephemeral_pool_has_any()
    {
        var client = _engine.Client(new TmemClientId(1));
        var before = _engine.Statistics().UsedBytes;
        Engines.Pool(client);
        var pool = _engine.Statistics().UsedBytes - before;
        Engines.Pool(client, PoolFlags.Shared);
        Assert.Equal(before + 2 * pool + Capacity / 1024, _engine.Statistics().UsedBytes);
        Engines.Pool(client, PoolFlags.None);
        Assert.Equal(before + 3 * pool + Capacity / 1024, _engine.Statistics().UsedBytes);
    }

    [Fact]
    public void They_follow_the_capacity()
    {
        var client = _engine.Client(new TmemClientId(1));
        var before = _engine.Statistics().UsedBytes;
        Engines.Pool(client, PoolFlags.Shared);
        var pool = _engine.Statistics().UsedBytes - before - Capacity / 1024;
        Assert.Equal(TmemStatus.Ok, _engine.Resize(4 * Capacity));
        // What a put may still be reading is given back with the garbage.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(before + pool + Capacity / 256, _engine.Statistics().UsedBytes);
        Assert.Equal(TmemStatus.Ok, _engine.Resize(Capacity));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(before + pool + Capacity / 1024, _engine.Statistics().UsedBytes);
    }

    [Fact]
    public void A_store_full_of_ephemeral_pages_makes_room_for_them()
    {
        using var engine = Engines.Anonymous(Capacity);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.Shared);
        for (uint i = 0; i < 20_000; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i % 50)));
        // A shrunken store has smaller ones, and is full of pages when they are made.
        Assert.Equal(TmemStatus.Ok, engine.Resize(Capacity / 4));
        Assert.Equal(Ghosts.BytesFor(Capacity / 4), engine.GhostBytes);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.InRange(engine.Statistics().UsedBytes, Capacity / 8, Capacity / 4);
        Assert.True(engine.Verify(quiescent: true).Clean);
    }

    [Fact]
    public void A_process_that_takes_over_a_full_store_has_them_too()
    {
        var memory = RegionMemory.CreateDescriptor();
        EngineOptions Options() => new()
        {
            CapacityBytes = 16 * Engines.Mebi, RegionDescriptor = Tmds.Linux.LibC.dup(memory), CompactInBackground = false,
        };
        using (var first = TmemEngine.Open(Options()))
        {
            var client = first.Client(new TmemClientId(1));
            var pool = Engines.Pool(client, PoolFlags.Shared);
            for (uint i = 0; i < 6_000; i++)
                Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i % 50)));
        }
        using var second = TmemEngine.Open(Options());
        Assert.Equal(Ghosts.BytesFor(16 * Engines.Mebi), second.GhostBytes);
        Assert.True(second.Statistics().Total.Pages > 3_000);
        Engines.AssertSound(second);
        _ = Tmds.Linux.LibC.close(memory);
    }

    private static ulong Name(ulong row, ulong mark) => row * ((1UL << 32) / (Capacity / 65536)) + row << 32 | mark;

    private (int Age, bool WasKept) Take(ulong name)
    {
        var age = _ghosts.Take(name, out var wasKept);
        return (age, wasKept);
    }
}
