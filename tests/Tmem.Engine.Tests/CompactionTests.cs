using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>
/// Density: compaction closes the holes that flushes leave, moved pages are unchanged, and the capacity can change meanwhile.
/// </summary>
public sealed class CompactionTests
{
    private static readonly ObjectId s_object = new(1);

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.Shared)]
    public void Holes_of_flushed_pages_are_closed(PoolFlags flags)
    {
        using var engine = Engines.Still(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        const uint count = 20_000;
        for (uint i = 0; i < count; i++) client.Put(pool, s_object, i * 3, Pages.Any((int)i));
        for (uint i = 0; i < count; i++)
        {
            if (i % 8 != 5) client.FlushPage(pool, s_object, i * 3);
        }
        var sparse = engine.Statistics();
        Assert.True(engine.Compact() > 0);
        Engines.AssertSound(engine);
        var dense = engine.Statistics();
        Assert.True(dense.UsedBytes < sparse.UsedBytes * 0.4, $"{sparse.UsedBytes} bytes became {dense.UsedBytes}");
        // At rest: one page a class short of full, and the tails of full spans.
        Assert.True(dense.SlackBytes < dense.PageSpanBytes / 20 + (1 << 20),
            $"{dense.SlackBytes} of {dense.PageSpanBytes} bytes are slack");
        Assert.Equal(dense.UsedBytes, Recompacted(engine));
        var page = new byte[Pages.Size];
        for (uint i = 0; i < count; i++)
        {
            var status = client.Get(pool, s_object, i * 3, page);
            Assert.Equal(i % 8 == 5 ? TmemStatus.Ok : TmemStatus.Miss, status);
            if (status == TmemStatus.Ok) Assert.Equal(Pages.Any((int)i), page);
        }
    }

    [Fact]
    public void Nodes_move_too()
    {
        using var engine = Engines.Still(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        // One page for each node, three levels deep, and zero pages: all the memory is nodes.
        for (uint i = 0; i < 20_000; i++) client.Put(pool, s_object, i * 64, i % 3 == 0 ? Pages.Text((int)i) : Pages.Filled(i));
        for (uint i = 0; i < 20_000; i++)
        {
            if (i % 10 != 3) client.FlushPage(pool, s_object, i * 64);
        }
        var sparse = engine.Statistics().UsedBytes;
        engine.Compact();
        Engines.AssertSound(engine);
        Assert.True(engine.Statistics().UsedBytes < sparse / 2);
        var page = new byte[Pages.Size];
        for (uint i = 3; i < 20_000; i += 10)
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pool, s_object, i * 64, page));
            Assert.Equal(i % 3 == 0 ? Pages.Text((int)i) : Pages.Filled(i), page);
        }
    }

    [Fact]
    public void Objects_move_too()
    {
        using var engine = Engines.Still(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        // Objects of one page, of a node, and (the first few) of more pages than one step moves.
        static uint PagesOf(uint obj) => obj < 60 && obj % 6 == 5 ? 1500u : obj % 3 == 2 ? 4u : 1u;
        for (uint i = 0; i < 20_000; i++)
        {
            for (uint page = 0; page < PagesOf(i); page++)
                client.Put(pool, new ObjectId(i), page * 5, page % 2 == 0 ? Pages.Text((int)i) : Pages.Filled(i));
        }
        for (uint i = 0; i < 20_000; i++)
        {
            if (i % 10 is not (4 or 5)) client.FlushObject(pool, new ObjectId(i));
        }
        var sparse = engine.Slabs.Spans.BytesOf(SpanKind.Objects);
        engine.Compact();
        Engines.AssertSound(engine);
        var dense = engine.Slabs.Spans.BytesOf(SpanKind.Objects);
        Assert.True(dense < sparse / 2, $"{sparse} bytes of objects became {dense}");
        var read = new byte[Pages.Size];
        for (uint i = 0; i < 20_000; i++)
        {
            for (uint page = 0; page < PagesOf(i); page++)
            {
                var status = client.Get(pool, new ObjectId(i), page * 5, read);
                Assert.Equal(i % 10 is 4 or 5 ? TmemStatus.Ok : TmemStatus.Miss, status);
                if (status == TmemStatus.Ok) Assert.Equal(page % 2 == 0 ? Pages.Text((int)i) : Pages.Filled(i), read);
            }
        }
    }

    [Fact]
    public void Compacting_in_steps_of_one_slot_comes_to_the_same()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 2000; i++) client.Put(pool, s_object, i, Pages.Any((int)i));
        for (uint i = 0; i < 2000; i += 2) client.FlushPage(pool, s_object, i);
        var steps = 0;
        while (engine.Compact(1) == 1)
        {
            if (++steps % 100 == 0) Engines.AssertSound(engine);
            Assert.True(steps < 20_000, "compaction does not end");
        }
        Assert.InRange(steps, 100, 20_000);
        Assert.Equal(engine.Statistics().UsedBytes, Recompacted(engine));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_full_sparse_store_takes_new_pages_instead_of_refusing_them()
    {
        using var engine = Engines.Still(16 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        uint stored = 0;
        while (client.Put(pool, s_object, stored, Pages.Text((int)stored)) == TmemStatus.Ok) stored++;
        for (uint i = 0; i < stored; i += 2) client.FlushPage(pool, s_object, i);
        // Raw pages need slots of another class: memory must come out of the holes.
        uint raw = 0;
        while (client.Put(pool, new ObjectId(2), raw, Pages.Random((int)raw)) == TmemStatus.Ok) raw++;
        Assert.True(raw * 4112 > 6 * Engines.Mebi, $"only {raw} raw pages fit into half an empty store of 16 MiB");
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Of_two_resizes_at_once_the_one_that_fails_sets_nothing_back()
    {
        using var engine = Engines.Still(8 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 1000; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, s_object, i, Pages.Random((int)i)));
        for (var round = 0; round < 300; round++)
        {
            var capacity = (8 + round % 7) * Engines.Mebi;
            using var together = new Barrier(2);
            var fails = new Thread(() =>
            {
                together.SignalAndWait();
                Assert.Equal(TmemStatus.NoRoom, engine.Resize(2 * Engines.Mebi));
            });
            fails.Start();
            together.SignalAndWait();
            Thread.SpinWait(round * 10);
            Assert.Equal(TmemStatus.Ok, engine.Resize(capacity));
            fails.Join();
            Assert.Equal(capacity, engine.Statistics().CapacityBytes);
        }
        Engines.AssertSound(engine);
    }

    [Fact]
    public void The_background_thread_closes_holes_by_itself()
    {
        using var engine = Engines.Anonymous(128 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 20_000; i++) client.Put(pool, s_object, i, Pages.Random((int)i % 100));
        for (uint i = 0; i < 20_000; i++)
        {
            if (i % 4 != 0) client.FlushPage(pool, s_object, i);
        }
        Assert.True(SpinWait.SpinUntil(() => engine.Statistics().UsedBytes < 26 * Engines.Mebi, TimeSpan.FromSeconds(60)),
            $"{engine.Statistics().UsedBytes} bytes still used for 20 MiB of pages");
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Pages_are_the_same_while_they_are_moved()
    {
        using var engine = Engines.Still(128 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 4000; i++) client.Put(pool, s_object, i, Pages.Any((int)i));
        var stop = false;
        var wrong = 0;
        var compactor = new Thread(() => { while (!Volatile.Read(ref stop)) engine.Compact(50); });
        var reader = new Thread(() =>
        {
            var page = new byte[Pages.Size];
            for (uint i = 0; !Volatile.Read(ref stop); i = (i + 7) % 4000)
            {
                // Even pages stay; odd ones come and go.
                if (i % 2 == 0 && (client.Get(pool, s_object, i, page) != TmemStatus.Ok
                    || !Pages.Any((int)i).AsSpan().SequenceEqual(page))) wrong++;
            }
        });
        compactor.Start();
        reader.Start();
        for (var round = 0; round < 30; round++)
        {
            for (uint i = 1; i < 4000; i += 2) client.FlushPage(pool, s_object, i);
            for (uint i = 1; i < 4000; i += 2) client.Put(pool, s_object, i, Pages.Any((int)i + round));
        }
        Volatile.Write(ref stop, true);
        compactor.Join();
        reader.Join();
        Assert.Equal(0, wrong);
        Assert.True(engine.Statistics().SlotsMoved > 1000,
            $"only {engine.Statistics().SlotsMoved} slots were moved; the test tests nothing");
        Engines.AssertSound(engine);
        var last = new byte[Pages.Size];
        for (uint i = 1; i < 4000; i += 2)
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pool, s_object, i, last));
            Assert.Equal(Pages.Any((int)i + 29), last);
        }
    }

    [Fact]
    public void The_capacity_changes_under_way()
    {
        using var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 16 * Engines.Mebi, MaximumCapacityBytes = 64 * Engines.Mebi,
        });
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var cache = Engines.Pool(client, PoolFlags.Shared);
        uint stored = 0;
        while (client.Put(pool, s_object, stored, Pages.Random((int)stored)) == TmemStatus.Ok) stored++;
        Assert.Equal(TmemStatus.Ok, engine.Resize(32 * Engines.Mebi));
        for (uint i = 0; i < 2500; i++) Assert.Equal(TmemStatus.Ok, client.Put(cache, s_object, i, Pages.Random((int)i)));

        Assert.Equal(TmemStatus.NoRoom, engine.Resize(8 * Engines.Mebi));
        Assert.Equal(32 * Engines.Mebi, engine.Statistics().CapacityBytes);
        Assert.Equal(TmemStatus.Ok, engine.Resize(17 * Engines.Mebi));
        var statistics = engine.Statistics();
        Assert.InRange(statistics.UsedBytes, 15 * Engines.Mebi, 17 * Engines.Mebi);
        Assert.True(statistics.Total.Evictions > 2000);
        Assert.Equal(stored, Engines.Figures(client, pool).Pages);
        Engines.AssertSound(engine);

        Assert.Equal(TmemStatus.InvalidArgument, engine.Resize(EngineOptions.MinimumCapacity - 1));
        Assert.Equal(TmemStatus.InvalidArgument, engine.Resize(engine.MaximumCapacity + 1));
        Assert.Equal(TmemStatus.Ok, engine.Resize(engine.MaximumCapacity));
    }

    [Fact]
    public void Shrink_gives_back_what_freeable_says()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var persistent = Engines.Pool(client);
        var ephemeral = Engines.Pool(client, PoolFlags.None);
        for (uint i = 0; i < 1000; i++)
        {
            client.Put(persistent, s_object, i, Pages.Random((int)i));
            client.Put(ephemeral, s_object, i, Pages.Random((int)i));
        }
        var used = engine.Statistics().UsedBytes;
        Assert.InRange(engine.FreeableBytes(), 1000 * (Pages.Size + 16), used / 2 + Engines.Mebi);
        Assert.InRange(engine.Shrink(Engines.Mebi), Engines.Mebi, 2 * Engines.Mebi);
        Assert.InRange(Engines.Figures(client, ephemeral).Pages, 600, 999);
        engine.Shrink(long.MaxValue);
        Assert.Equal(0, Engines.Figures(client, ephemeral).Pages);
        Assert.Equal(1000, Engines.Figures(client, persistent).Pages);
        Assert.InRange(engine.FreeableBytes(), 0, 64 << 10);
        Engines.AssertSound(engine);
    }

    private static long Recompacted(TmemEngine engine)
    {
        engine.Compact();
        return engine.Statistics().UsedBytes;
    }
}
