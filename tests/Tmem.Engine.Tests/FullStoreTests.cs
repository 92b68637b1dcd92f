namespace Tmem.Engine.Tests;

/// <summary>A full store answers every call, whatever kind of memory is missing.</summary>
public sealed class FullStoreTests
{
    private static readonly TimeSpan s_far = TimeSpan.FromMinutes(1);

    /// <summary>
    /// An object found a slot where its page tree found none, and gave it back: compaction then gained that slot and nothing
    /// more, the next try took it again, and so on for ever.
    /// </summary>
    [Fact]
    public void A_put_that_room_for_half_of_its_index_can_be_made_for_is_refused()
    {
        for (var pages = 0; pages < 40; pages++)
        {
            // Not disposed of on failure: a thread is still working in it then.
            var engine = Engines.Still(Engines.Mebi + pages * 4096);
            var client = engine.Client(new TmemClientId(1));
            var pool = Engines.Pool(client);
            var refused = 0;
            var page = Pages.Random(1);
            var filler = new Thread(() =>
            {
                for (uint i = 0; i < 2000; i++)
                {
                    // Each kind of need in turn: an object alone, an object and a node, nodes one above the other.
                    var index = (i % 3) switch { 0 => 0u, 1 => 70 * i, _ => i << 20 };
                    if (client.Put(pool, new ObjectId(i), index, i % 5 == 0 ? page : Pages.Filled(i)) != TmemStatus.Ok) refused++;
                }
            }) { IsBackground = true };
            filler.Start();
            Assert.True(filler.Join(s_far), $"with {pages} pages above a MiB a put does not come back");
            Assert.True(refused > 0, "the store was not full");
            Engines.AssertSound(engine);
            engine.Dispose();
        }
    }

    /// <summary>A shrink of a cache that others fill ends, and a resize to less capacity succeeds.</summary>
    [Fact]
    public void A_shrink_and_a_resize_beside_those_who_fill_the_store_end()
    {
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        var refused = 0;
        BesideFillers(engine, "a shrink or a resize does not end while others fill the store", _ =>
        {
            for (var i = 0; i < 5; i++) engine.Shrink(4 * Engines.Mebi);
            for (var i = 0; i < 5; i++)
            {
                if (engine.Resize(12 * Engines.Mebi) != TmemStatus.Ok) refused++;
                if (engine.Resize(16 * Engines.Mebi) != TmemStatus.Ok) refused++;
            }
        });
        Assert.Equal(0, refused);
    }

    /// <summary>
    /// Threads that fill a cache take every slot that an eviction frees; a page that must stay still gets its room, down to the
    /// last page of theirs.
    /// </summary>
    [Fact]
    public void A_persistent_put_beside_those_who_fill_the_store_gets_room()
    {
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        var refused = 0;
        BesideFillers(engine, "persistent pages find no room while others fill the store", client =>
        {
            var pool = Engines.Pool(client);
            var page = Pages.Random(99);
            for (uint i = 0; i < 3000; i++)
            {
                if (client.Put(pool, new ObjectId(1), i, page) != TmemStatus.Ok) refused++;
            }
        });
        Assert.Equal(0, refused);
    }

    /// <summary>
    /// Runs an action beside three threads that fill the store with ephemeral pages as fast as they can, once it is full.
    /// </summary>
    private static void BesideFillers(TmemEngine engine, string complaint, Action<TmemClient> work)
    {
        var client = engine.Client(new TmemClientId(1));
        var cache = Engines.Pool(client, PoolFlags.Shared);
        using var end = new CancellationTokenSource();
        var fillers = Enumerable.Range(0, 3).Select(number => new Thread(() =>
        {
            var page = Pages.Random(number);
            for (uint i = 0; !end.IsCancellationRequested; i++) client.Put(cache, new ObjectId((ulong)number), i, page);
        })).ToList();
        fillers.ForEach(filler => filler.Start());
        while (engine.Statistics().Total.Evictions == 0) Thread.Yield();
        var worker = new Thread(() => work(client));
        worker.Start();
        var ended = worker.Join(s_far);
        // Without them it always ends.
        end.Cancel();
        fillers.ForEach(filler => filler.Join());
        worker.Join();
        Assert.True(ended, complaint);
        Engines.AssertSound(engine);
    }
}
