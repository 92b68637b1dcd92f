namespace Tmem.Engine.Tests;

/// <summary>
/// Several threads at once: a page read is always one that was put under that handle, and the store is sound in the end.
/// </summary>
public sealed class ConcurrencyTests
{
    [Theory]
    [InlineData(PoolFlags.Persistent, 64)]
    [InlineData(PoolFlags.None, 64)]
    [InlineData(PoolFlags.Shared, 2)]
    [InlineData(PoolFlags.None, 2)]
    public void Every_page_read_is_one_that_was_put_there(PoolFlags flags, int mebi)
    {
        using var engine = Engines.Anonymous(mebi * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        var wrong = 0;
        var hits = 0;
        var threads = Enumerable.Range(0, 4).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            var page = new byte[Pages.Size];
            for (var i = 0; i < 30_000; i++)
            {
                var obj = (ulong)random.Next(3);
                var index = (uint)random.Next(400);
                // A page holds its handle, then a seed, and a body made from that seed.
                switch (random.Next(10))
                {
                    case < 5:
                        Make(page, obj, index, random.Next(50));
                        client.Put(pool, new ObjectId(obj), index, page);
                        break;
                    case < 9:
                        if (client.Get(pool, new ObjectId(obj), index, page) != TmemStatus.Ok) break;
                        Interlocked.Increment(ref hits);
                        if (!IsRight(page, obj, index)) Interlocked.Increment(ref wrong);
                        break;
                    default:
                        if (i % 50 == 0) client.FlushObject(pool, new ObjectId(obj));
                        else client.FlushPage(pool, new ObjectId(obj), index);
                        break;
                }
                if (number == 0 && i % 5000 == 2500) Assert.True(engine.Verify().Clean);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal(0, wrong);
        Assert.True(hits > 1000, $"{hits} hits show nothing");
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Destroying_a_pool_under_load_is_clean()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        for (var round = 0; round < 30; round++)
        {
            var pool = Engines.Pool(client);
            using var started = new CountdownEvent(3);
            var unexpected = 0;
            var threads = Enumerable.Range(0, 3).Select(number => new Thread(() =>
            {
                var page = Pages.Text(number);
                for (uint i = 0; ; i++)
                {
                    var status = client.Put(pool, new ObjectId(i % 10), i % 300, page);
                    if (i == 200) started.Signal();
                    if (status == TmemStatus.NoSuchPool) break;
                    if (status != TmemStatus.Ok) Interlocked.Increment(ref unexpected);
                }
            })).ToList();
            threads.ForEach(thread => thread.Start());
            started.Wait(TestContext.Current.CancellationToken);
            Assert.Equal(TmemStatus.Ok, client.DestroyPool(pool));
            threads.ForEach(thread => thread.Join());
            Assert.Equal(0, unexpected);
        }
        Assert.Equal(0, engine.Statistics().Total.Pages);
        Engines.AssertSound(engine);
    }

    private static void Make(byte[] page, ulong obj, uint index, int seed)
    {
        Pages.Text(seed).CopyTo(page, 0);
        BitConverter.TryWriteBytes(page, obj);
        BitConverter.TryWriteBytes(page.AsSpan(8), index);
        BitConverter.TryWriteBytes(page.AsSpan(12), seed);
    }

    private static bool IsRight(byte[] page, ulong obj, uint index)
    {
        var expected = new byte[Pages.Size];
        Make(expected, obj, index, BitConverter.ToInt32(page, 12));
        return page.AsSpan().SequenceEqual(expected);
    }
}
