namespace Tmem.Engine.Tests;

/// <summary>Writes of parts and exchanges by several threads: no update is lost, no page is torn, doubled or missing.</summary>
public sealed class SubpageConcurrencyTests
{
    /// <summary>
    /// Each thread owns one half and must always find there what it wrote last. The values are few, and raw ones all of one
    /// length, so that slots and descriptors recur with other contents; a compactor moves them meanwhile.
    /// </summary>
    [Theory]
    [InlineData(4096, TmemCodec.Page, false)]
    [InlineData(4096, TmemCodec.Page, true)]
    [InlineData(4096, TmemCodec.Zstd, true)]
    [InlineData(65536, TmemCodec.Page, false)]
    public void No_write_to_a_half_is_lost(int size, TmemCodec codec, bool shrinks)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal(TmemStatus.Ok,
            client.NewPool(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec), out var pool));
        var obj = new ObjectId(1);
        client.Put(pool, obj, 1, Pages.Text(0, size));
        var half = size / 2;
        var values = Enumerable.Range(1, 3).Select(seed => shrinks ? Pages.Text(seed, half) : Pages.Random(seed, half)).ToArray();
        var lost = 0;
        var torn = 0;
        var running = 2;
        var writers = Enumerable.Range(0, 2).Select(side => new Thread(() =>
        {
            var random = new Random(side);
            var back = new byte[half];
            for (var i = 0; i < 20_000 * 4096 / size; i++)
            {
                var value = values[random.Next(values.Length)];
                if (client.Write(pool, obj, 1, side * half, value) != TmemStatus.Ok) Interlocked.Increment(ref lost);
                if (client.Read(pool, obj, 1, side * half, back) != TmemStatus.Ok || !back.AsSpan().SequenceEqual(value))
                    Interlocked.Increment(ref lost);
            }
            Interlocked.Decrement(ref running);
        })).ToList();
        writers.Add(new Thread(() =>
        {
            var page = new byte[size];
            var initial = Pages.Text(0, size);
            for (uint i = 0; Volatile.Read(ref running) > 0; i++)
            {
                client.Get(pool, obj, 1, page);
                for (var side = 0; side < 2; side++)
                {
                    var seen = page.AsMemory(side * half, half);
                    if (!values.Append(initial[(side * half)..(side * half + half)]).Any(value => seen.Span.SequenceEqual(value)))
                        Interlocked.Increment(ref torn);
                }
                // Holes for the compactor to fill.
                client.Put(pool, obj, 2 + i % 50, Pages.Text((int)i % 7, size));
                client.FlushPage(pool, obj, 2 + (i + 17) % 50);
                if (i % 16 == 0) engine.Compact(20);
            }
        }));
        writers.ForEach(thread => thread.Start());
        writers.ForEach(thread => thread.Join());
        Assert.Equal((0, 0), (lost, torn));
        Engines.AssertSound(engine);
    }

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.Shared)]
    public void Exchanges_in_a_ring_keep_every_page(PoolFlags flags)
    {
        const int places = 24;
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        PoolId[] pools = [Engines.Pool(client, flags), Engines.Pool(client, flags)];
        var contents = Enumerable.Range(0, places).Select(seed => Pages.Any(seed)).ToArray();
        for (var i = 0; i < places; i++) Assert.Equal(TmemStatus.Ok, client.Put(PoolOf(i), ObjectOf(i), IndexOf(i), contents[i]));
        var wrong = 0;
        var threads = Enumerable.Range(0, 4).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            var page = new byte[Pages.Size];
            for (var i = 0; i < 30_000; i++)
            {
                var (a, b) = (random.Next(places), random.Next(3) == 0 ? random.Next(places) : random.Next(places) / 2);
                if (client.Exchange(PoolOf(a), ObjectOf(a), IndexOf(a), PoolOf(b), ObjectOf(b), IndexOf(b)) != TmemStatus.Ok)
                    Interlocked.Increment(ref wrong);
                if (client.Get(PoolOf(a), ObjectOf(a), IndexOf(a), page) != TmemStatus.Ok
                    || !contents.Any(content => page.AsSpan().SequenceEqual(content))) Interlocked.Increment(ref wrong);
                if (number == 0 && i % 5000 == 2500) Assert.True(engine.Verify().Clean);
                if (number == 1 && i % 100 == 0) engine.Compact(10);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal(0, wrong);
        var left = contents.Select(Convert.ToHexString).ToList();
        for (var i = 0; i < places; i++)
        {
            var page = new byte[Pages.Size];
            Assert.Equal(TmemStatus.Ok, client.Get(PoolOf(i), ObjectOf(i), IndexOf(i), page));
            Assert.True(left.Remove(Convert.ToHexString(page)), $"the page at place {i} is there twice, or was never put");
        }
        Engines.AssertSound(engine);

        PoolId PoolOf(int place) => pools[place & 1];
        ObjectId ObjectOf(int place) => new((ulong)place / 6);
        uint IndexOf(int place) => (uint)(place % 6 * 40);
    }

    /// <summary>
    /// Exchanges, writes, puts, gets and evictions at once in a full store: each page read is one that was put.
    /// </summary>
    [Theory]
    [InlineData(PoolFlags.None)]
    [InlineData(PoolFlags.Shared)]
    public void Exchanged_pages_are_evicted_like_any_other(PoolFlags flags)
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        PoolId[] pools = [Engines.Pool(client, flags), Engines.Pool(client, flags)];
        var contents = Enumerable.Range(0, 40).Select(seed => Pages.Any(seed)).ToArray();
        int wrong = 0, swapped = 0;
        var threads = Enumerable.Range(0, 4).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            var page = new byte[Pages.Size];
            for (var i = 0; i < 20_000; i++)
            {
                var (pool, other) = (pools[random.Next(2)], pools[random.Next(2)]);
                var (obj, index) = (new ObjectId((ulong)random.Next(4)), (uint)random.Next(400));
                switch (random.Next(8))
                {
                    case < 4: client.Put(pool, obj, index, contents[random.Next(contents.Length)]); break;
                    case < 5: client.Write(pool, obj, index, 0, contents[random.Next(contents.Length)]); break;
                    case < 7:
                        if (client.Exchange(pool, obj, index, other, new ObjectId((ulong)random.Next(4)),
                            (uint)random.Next(400)) == TmemStatus.Ok)
                            Interlocked.Increment(ref swapped);
                        break;
                    default:
                        var status = client.Get(pool, obj, index, page);
                        if (status == TmemStatus.Miss) break;
                        if (status != TmemStatus.Ok || !contents.Any(content => page.AsSpan().SequenceEqual(content)))
                            Interlocked.Increment(ref wrong);
                        break;
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal(0, wrong);
        Assert.True(swapped > 500, $"{swapped} exchanges show nothing");
        Assert.True(engine.Statistics().Total.Evictions > 0);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Exchanging_with_a_pool_that_is_destroyed_is_clean()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var stays = Engines.Pool(client);
        for (var round = 0; round < 50; round++)
        {
            var goes = Engines.Pool(client);
            for (uint i = 0; i < 20; i++)
            {
                client.Put(stays, new ObjectId(1), i, Pages.Any((int)i));
                client.Put(goes, new ObjectId(2), i, Pages.Any((int)i + 100));
            }
            using var started = new CountdownEvent(2);
            var unexpected = 0;
            var threads = Enumerable.Range(0, 2).Select(number => new Thread(() =>
            {
                for (uint i = 0; ; i++)
                {
                    var status = number == 0
                        ? client.Exchange(stays, new ObjectId(1), i % 20, goes, new ObjectId(2), i * 7 % 20)
                        : client.Write(goes, new ObjectId(2), i % 20, (int)i % 4000, Pages.Text((int)i).AsSpan(0, 96));
                    if (i == 50) started.Signal();
                    if (status == TmemStatus.NoSuchPool) break;
                    // While the pool drains, a page may be gone already.
                    if (status is not (TmemStatus.Ok or TmemStatus.Miss)) Interlocked.Increment(ref unexpected);
                }
            })).ToList();
            threads.ForEach(thread => thread.Start());
            started.Wait(TestContext.Current.CancellationToken);
            Assert.Equal(TmemStatus.Ok, client.DestroyPool(goes));
            threads.ForEach(thread => thread.Join());
            Assert.Equal(0, unexpected);
        }
        Engines.AssertSound(engine);
    }
}
