using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>Memory that a pool is guaranteed: whatever others store, it is there when the pool needs it.</summary>
public sealed class ReserveTests : IDisposable
{
    private const long Capacity = 16 * Engines.Mebi;
    private const long Slack = 3 * Pages.Size;

    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-reserve-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    /// <summary>
    /// Against a model of one line: a put that keeps a pool within its reserve is stored. Pages of all sizes, overwrites and
    /// flushes, two pools with reserves, one without and a cache, each of which may take far more than the capacity.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_reserve_is_kept_whatever_others_store(int seed)
    {
        using var engine = Engines.Still(Capacity);
        var client = engine.Client(new TmemClientId(1));
        var other = engine.Client(new TmemClientId(2));
        (TmemClient Client, PoolId Id, long Reserve)[] pools =
        [
            Reserved(client, 5 * Engines.Mebi), Reserved(client, 2 * Engines.Mebi), Reserved(other, 3 * Engines.Mebi),
            (other, Engines.Pool(other), 0), (client, Engines.Pool(client, PoolFlags.None), 0),
        ];
        var random = new Random(seed);
        var page = new byte[Pages.Size];
        long refused = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var number = random.Next(pools.Length + 3);
            // Others press: most puts are theirs, and theirs come first.
            var (owner, pool, reserve) = pools[number < pools.Length && i > 5000 ? number : 3 + number % 2];
            var id = new ObjectId((ulong)random.Next(4));
            var index = (uint)random.Next(1000);
            if (random.Next(6) == 0)
            {
                owner.FlushPage(pool, id, index);
                continue;
            }
            page.AsSpan().Clear();
            random.NextBytes(page.AsSpan(0, random.Next(Pages.Size)));
            page[0] |= 1;
            var isWithin = reserve != 0 && Memory(owner, pool) + Slack <= reserve;
            var status = owner.Put(pool, id, index, page);
            Assert.True(status == TmemStatus.Ok || !isWithin, $"put {i}, within a reserve of {reserve}: {status}");
            if (status == TmemStatus.Reserved) refused++;
        }
        Assert.True(refused > 0);
        Assert.True(engine.Statistics().Total.Evictions > 0);
        Assert.Equal(refused, engine.Statistics().Total.PutsReserved);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Several_threads_that_fill_the_store_leave_a_reserve_its_room()
    {
        using var engine = Engines.Still(Capacity);
        var client = engine.Client(new TmemClientId(1));
        var (_, reserved, reserve) = Reserved(client, 8 * Engines.Mebi);
        using var full = new CountdownEvent(3);
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, number =>
        {
            var random = new Random(number);
            if (number == 3)
            {
                // Begins while the others fill, and continues when only its own memory is left.
                for (uint i = 0; Memory(client, reserved) + Slack <= reserve; i++)
                    Assert.Equal(TmemStatus.Ok, client.Put(reserved, new ObjectId(1), i, Pages.Random((int)i)));
                return;
            }
            var pool = Engines.Pool(client, number == 0 ? PoolFlags.None : PoolFlags.Persistent);
            for (uint i = 0; i < 6000; i++) client.Put(pool, new ObjectId(1), i % 3000, Pages.Text(random.Next(1000)));
        });
        Assert.True(Memory(client, reserved) > reserve - 2 * Slack);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Who_is_refused_for_a_reserve_drives_no_cache_out()
    {
        using var engine = Engines.Still(Capacity);
        var client = engine.Client(new TmemClientId(1));
        Reserved(client, 8 * Engines.Mebi);
        var cache = Engines.Pool(client, PoolFlags.None);
        for (uint i = 0; i < 500; i++) client.Put(cache, new ObjectId(1), i, Pages.Random((int)i));
        var pool = Engines.Pool(client);
        uint stored = 0;
        while (client.Put(pool, new ObjectId(1), stored, Pages.Random((int)stored)) == TmemStatus.Ok) stored++;
        var cached = Engines.Figures(client, cache).Pages;
        for (var i = 0; i < 1000; i++) Assert.Equal(TmemStatus.Reserved, client.Put(pool, new ObjectId(2), 1, Pages.Random(i)));
        // Beside the reserve the cache keeps what it had: a refused put may have evicted a page or two before.
        Assert.InRange(Engines.Figures(client, cache).Pages, cached - 16, cached);
        Assert.Equal(TmemStatus.Ok, client.Put(cache, new ObjectId(9), 0, Pages.Random(1)));
        Engines.AssertSound(engine);
    }

    /// <summary>A file system's names and attributes stay, even those of files in a cache: they are not evictable.</summary>
    [Fact]
    public void Records_leave_a_reserve_its_room_in_a_cache_too()
    {
        using var engine = Engines.Still(Capacity);
        var client = engine.Client(new TmemClientId(1));
        var (_, reserved, reserve) = Reserved(client, 8 * Engines.Mebi);
        var cache = Engines.Pool(client, PoolFlags.Shared);
        for (uint i = 0; i < 3000; i++) client.Put(cache, new ObjectId(1), i, Pages.Random((int)i));
        var records = 0;
        TmemStatus status;
        while ((status = engine.Records.Allocate(1, 4000, out var record, cache)) == TmemStatus.Ok)
        {
            engine.Records.Commit(record);
            records++;
        }
        Assert.Equal(TmemStatus.Reserved, status);
        Assert.InRange(records * 4000L, 4 * Engines.Mebi, 8 * Engines.Mebi);
        // Credit left from the last allocation may serve a few small ones that belong to no pool.
        for (records = 0; records < 1000 && engine.Records.Allocate(1, 4000, out var record) is var nobodys; records++)
        {
            if (nobodys == TmemStatus.Reserved) break;
            engine.Records.Commit(record);
        }
        Assert.InRange(records, 0, 300);
        for (uint i = 0; Memory(client, reserved) + Slack <= reserve; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(reserved, new ObjectId(1), i, Pages.Random((int)i)));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_reserve_is_changed_while_running_and_fits_or_is_refused()
    {
        using var engine = Engines.Still(Capacity);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var other = Engines.Pool(client);
        Assert.Equal(TmemStatus.Ok, client.Reserve(pool, 8 * Engines.Mebi));
        Assert.Equal(8 * Engines.Mebi, engine.Statistics().ReservedBytes);
        Assert.Equal(8 * Engines.Mebi, engine.Statistics().UnmetReserveBytes);
        Assert.Equal(8 * Engines.Mebi, Options(client, pool).ReserveBytes);
        // Together they fit the capacity, or the second is refused and nothing has changed.
        Assert.Equal(TmemStatus.Reserved, client.Reserve(other, 8 * Engines.Mebi));
        Assert.Equal(TmemStatus.Reserved,
            client.NewPool(new PoolOptions(PoolFlags.Persistent, ReserveBytes: 8 * Engines.Mebi), out _));
        Assert.Equal(0, Options(client, other).ReserveBytes);
        Assert.Equal(TmemStatus.Ok, client.Reserve(other, 4 * Engines.Mebi));
        Assert.Equal(TmemStatus.Reserved, engine.Resize(12 * Engines.Mebi));
        Assert.Equal(Capacity, engine.Statistics().CapacityBytes);
        Assert.Equal(TmemStatus.Ok, engine.Resize(15 * Engines.Mebi));

        // What is stored beyond a reserve counts like what is reserved.
        for (uint i = 0; i < 256; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        Assert.InRange(engine.Statistics().UnmetReserveBytes, 10 * Engines.Mebi, 11 * Engines.Mebi);
        Assert.Equal(TmemStatus.Ok, client.Reserve(pool, 0));
        Assert.Equal(TmemStatus.Ok, client.Reserve(other, 11 * Engines.Mebi));
        Assert.Equal(TmemStatus.Ok, client.DestroyPool(other));
        Assert.Equal(0, engine.Statistics().ReservedBytes);
        Assert.Equal(TmemStatus.NoSuchPool, client.Reserve(other, 1));

        var cache = Engines.Pool(client, PoolFlags.Shared);
        var limited = Engines.Pool(client, limit: Engines.Mebi);
        Assert.Equal(TmemStatus.InvalidArgument, client.Reserve(cache, 1));
        Assert.Equal(TmemStatus.InvalidArgument, client.Reserve(pool, -1));
        Assert.Equal(TmemStatus.InvalidArgument, client.Reserve(pool, long.MaxValue));
        Assert.Equal(TmemStatus.InvalidArgument, client.Reserve(limited, Engines.Mebi + 1));
        Assert.Equal(TmemStatus.ForeignClient, engine.Client(new TmemClientId(2)).Reserve(pool, 1));
        Assert.Equal(TmemStatus.InvalidFlags, client.NewPool(new PoolOptions(PoolFlags.None, ReserveBytes: 1), out _));
        Assert.Equal(TmemStatus.InvalidFlags, client.NewPool(new PoolOptions(PoolFlags.Persistent, 10, ReserveBytes: 11), out _));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_reserve_survives_an_attach()
    {
        PoolId made, changed, plain;
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            made = Reserved(client, 5 * Engines.Mebi).Id;
            changed = Engines.Pool(client);
            plain = Engines.Pool(client);
            Assert.Equal(TmemStatus.Ok, client.Reserve(changed, 4 * Engines.Mebi));
        }
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            Assert.Equal(5 * Engines.Mebi, Options(client, made).ReserveBytes);
            Assert.Equal(4 * Engines.Mebi, Options(client, changed).ReserveBytes);
            Assert.Equal(9 * Engines.Mebi, engine.Statistics().UnmetReserveBytes);
            uint stored = 0;
            TmemStatus status;
            while ((status = client.Put(plain, new ObjectId(1), stored, Pages.Random((int)stored))) == TmemStatus.Ok) stored++;
            Assert.Equal(TmemStatus.Reserved, status);
            Assert.InRange(stored * (long)Pages.Size, 4 * Engines.Mebi, 7 * Engines.Mebi);
            for (uint i = 0; i < 1200; i++)
                Assert.Equal(TmemStatus.Ok, client.Put(made, new ObjectId(1), i, Pages.Random((int)i)));
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void A_region_opened_below_its_reserves_stores_nothing_beyond_them_until_one_is_lowered()
    {
        PoolId reserved, plain;
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            reserved = Reserved(client, 10 * Engines.Mebi).Id;
            plain = Engines.Pool(client);
            var statistics = engine.Statistics();
            Assert.Equal(0, statistics.ExcessReserveBytes);
            Assert.Equal(TmemStatus.Reserved, client.NewPool(
                new PoolOptions(PoolFlags.Persistent, ReserveBytes: statistics.ReservableBytes + 1), out _));
            Assert.Equal(TmemStatus.Ok, client.Reserve(plain, statistics.ReservableBytes));
            Assert.Equal(TmemStatus.Ok, client.Reserve(plain, 0));
        }
        using (var engine = Open(8 * Engines.Mebi))
        {
            var client = engine.Client(new TmemClientId(1));
            Assert.InRange(engine.Statistics().ExcessReserveBytes, 2 * Engines.Mebi, 4 * Engines.Mebi);
            Assert.Equal(0, engine.Statistics().ReservableBytes);
            Assert.Equal(TmemStatus.Reserved, client.Put(plain, new ObjectId(1), 0, Pages.Random(1)));
            Assert.Equal(TmemStatus.Ok, client.Put(reserved, new ObjectId(1), 0, Pages.Random(1)));
            Assert.Equal(TmemStatus.Ok, client.Reserve(reserved, 10 * Engines.Mebi - engine.Statistics().ExcessReserveBytes));
            Assert.Equal(0, engine.Statistics().ExcessReserveBytes);
            Assert.Equal(TmemStatus.Ok, client.Reserve(reserved, 0));
            Assert.Equal(TmemStatus.Ok, client.Put(plain, new ObjectId(1), 0, Pages.Random(1)));
            Engines.AssertSound(engine);
        }
    }

    [Theory]
    [InlineData(-1L)]
    [InlineData(long.MaxValue)]
    public unsafe void A_reserve_that_no_pool_can_have_is_damage(long damage)
    {
        var memory = Region.RegionMemory.CreateDescriptor();
        PoolId pool;
        using (var engine = Attach(drops: false))
        {
            pool = Reserved(engine.Client(new TmemClientId(1)), Engines.Mebi).Id;
            var entries = (PoolEntry*)(engine.Memory.Start + RegionLayout.PoolTableOffset);
            entries[engine.PoolTable.Find(pool)!.Place].ReserveBytes = damage;
        }
        Assert.Contains("reserve", Assert.Throws<RegionException>(() => Attach(drops: false)).Message, StringComparison.Ordinal);
        using (var engine = Attach(drops: true))
        {
            Assert.Equal(1, engine.DroppedCount);
            Assert.Equal(0, Options(engine.Client(new TmemClientId(1)), pool).ReserveBytes);
            Engines.AssertSound(engine);
        }
        _ = Tmds.Linux.LibC.close(memory);

        TmemEngine Attach(bool drops) => TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = Capacity, RegionDescriptor = Tmds.Linux.LibC.dup(memory), DropDamaged = drops, CompactInBackground =
                false,
        });
    }

    private TmemEngine Open(long capacity = Capacity) =>
        TmemEngine.Open(new EngineOptions { CapacityBytes = capacity, RegionPath = _path, CompactInBackground = false });

    private static (TmemClient Client, PoolId Id, long Reserve) Reserved(TmemClient client, long bytes)
    {
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(PoolFlags.Persistent, ReserveBytes: bytes), out var pool));
        return (client, pool, bytes);
    }

    private static PoolOptions Options(TmemClient client, PoolId pool)
    {
        Assert.Equal(TmemStatus.Ok, client.PoolInfo(pool, out var info));
        return info!.Options;
    }

    private static long Memory(TmemClient client, PoolId pool) =>
        Engines.Figures(client, pool) is var figures ? figures.SlotBytes + figures.IndexBytes : 0;
}
