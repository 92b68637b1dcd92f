using Tmem.Engine.Diagnostics;
using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>
/// The verifier beside a load reports nothing while nothing is wrong. (CorruptionTests and FlipTests test what it must find.)
/// </summary>
public sealed class VerifierTests
{
    [Fact]
    public void A_pool_that_is_being_emptied_is_not_taken_for_leaks()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = engine.PoolTable.Find(Engines.Pool(client))!;
        Fill(client, pool.Id);

        // As DestroyPool does it; for a large pool, a verifier may run in the middle of it.
        Assert.True(engine.PoolTable.TryEnd(pool, pool.Owner));
        Engines.AssertClean(engine.Verify());
        engine.Operations.Removal.Drain(pool);
        Engines.AssertClean(engine.Verify());
        engine.PoolTable.Forget(pool);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Pools_that_come_and_go_are_not_taken_for_leaks()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        using var end = new CancellationTokenSource();
        var threads = Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            while (!end.IsCancellationRequested)
            {
                var pool = Engines.Pool(client);
                Fill(client, pool);
                client.DestroyPool(pool);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        try
        {
            for (var look = 0; look < 30; look++) Engines.AssertClean(engine.Verify());
        }
        finally
        {
            end.Cancel();
            threads.ForEach(thread => thread.Join());
        }
        Engines.AssertSound(engine);
    }

    [Fact]
    public unsafe void A_slot_that_begins_to_wait_between_two_looks_is_not_taken_for_a_leak()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 1000; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random(1)));
        // The state in the middle of a flush that has taken a page out of the index: its slot, as the page left it.
        var leaf = Engines.Leaf(engine, pool, new ObjectId(1), 7);
        var kept = *leaf;
        var place = PageDescriptor.Slot(kept);
        var sizeClass = engine.Slabs.Spans.Table[engine.Slabs.Spans.SpanOf(place)].Class;
        var inHand = engine.Slabs.Allocate(SpanKind.PersistentPages, sizeClass);
        *(ulong*)engine.Slabs.At(inHand) = *(ulong*)engine.Slabs.At(place);

        var freed = false;
        using (var verifier = new TmemVerifier(engine.Slabs, engine.Dictionaries, engine.PoolTable, engine.Operations)
        {
            AfterStructure = () =>
            {
                engine.Slabs.Free(inHand);
                freed = engine.Slabs.IsWaiting(inHand);
            },
        })
        {
            Engines.AssertClean(verifier.Run(quiescent: false));
        }
        Assert.True(freed);
        Engines.AssertSound(engine);
    }

    [Fact]
    public unsafe void A_slot_that_nothing_refers_to_is_a_leak()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), 7, Pages.Random(1)));
        var place = PageDescriptor.Slot(*Engines.Leaf(engine, pool, new ObjectId(1), 7));
        var lost = engine.Slabs.Allocate(SpanKind.PersistentPages,
            engine.Slabs.Spans.Table[engine.Slabs.Spans.SpanOf(place)].Class);
        *(ulong*)engine.Slabs.At(lost) = *(ulong*)engine.Slabs.At(place);
        Assert.Contains("nothing refers to it", Assert.Single(engine.Verify().Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_given_out_beyond_the_capacity_is_found()
    {
        using var engine = Engines.Still(2 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        uint stored = 0;
        while (client.Put(pool, new ObjectId(1), stored, Pages.Random((int)stored)) == TmemStatus.Ok) stored++;
        Engines.AssertClean(engine.Verify());
        engine.Slabs.Spans.RefusesNothing = true;
        for (uint i = 0; i < 100; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(2), i, Pages.Random((int)i)));
        Assert.Contains("beyond the capacity", Assert.Single(engine.Verify().Problems), StringComparison.Ordinal);
        // It is found afterwards, too.
        client.FlushObject(pool, new ObjectId(2));
        engine.Compact();
        Assert.NotEmpty(engine.Verify().Problems);
    }

    [Fact]
    public void A_capacity_below_what_persistent_pages_take_is_no_fault()
    {
        using var engine = Engines.Still(4 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 500; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        engine.Slabs.Spans.Capacity = Engines.Mebi;
        uint more = 0;
        while (client.Put(pool, new ObjectId(2), more, Pages.Random(1)) == TmemStatus.Ok) more++;
        Assert.InRange(more, 0u, 100u);
        Engines.AssertClean(engine.Verify());
    }

    /// <summary>Objects of one page, of one node and of a tree of nodes.</summary>
    private static void Fill(TmemClient client, PoolId pool)
    {
        var page = Pages.Text(1);
        for (uint i = 0; i < 300; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(i % 3), i % 3 == 0 ? 0 : i * 20, page));
    }
}
