using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>
/// Which ephemeral pages are evicted: hit ratios on seeded traces, with one thread, so that every run is the same.
/// </summary>
public sealed class EvictionTests
{
    private const int Accesses = 60_000;

    [Fact]
    public void A_popular_page_stays_at_least_as_often_as_under_lru()
    {
        var random = new Random(1);
        var (engine, lru) = Compare(_ => Popular(random));
        Assert.True(engine > 1.03 * lru, $"{engine} hits, LRU has {lru}");
    }

    [Fact]
    public void A_scan_drives_out_few_pages_that_are_in_use()
    {
        var random = new Random(2);
        var (engine, lru) = Compare(i => i % 900 < 600 ? Popular(random) : 1_000_000 + i);
        Assert.True(engine > 1.06 * lru, $"{engine} hits, LRU has {lru}");
    }

    [Fact]
    public void What_is_new_and_wanted_stays_at_least_as_often_as_under_lru()
    {
        var random = new Random(3);
        var (engine, lru) = Compare(i => 10_000 + i / 16 - Popular(random));
        Assert.True(engine >= lru, $"{engine} hits, LRU has {lru}");
    }

    [Fact]
    public void The_popular_of_yesterday_go_when_others_are_wanted()
    {
        var random = new Random(4);
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var cache = new Cache(engine);
        // Half of the pages of the second part did not occur in the first, and all are used equally often.
        for (var i = 0; i < Accesses / 2; i++) cache.Access(random.Next(600));
        var hits = 0;
        for (var i = 0; i < Accesses / 2; i++)
        {
            var hit = cache.Access(10_000 + random.Next(600));
            if (i >= Accesses / 4 && hit) hits++;
        }
        Assert.True(hits > 0.9 * Accesses / 4, $"{hits} hits among the last {Accesses / 4} accesses to pages that all fit");
        Engines.AssertSound(engine);
    }

    [Fact]
    public void When_all_pages_are_kept_ones_the_store_still_takes_new_ones()
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var cache = new Cache(engine);
        for (var i = 0; i < 40_000; i++) cache.Access(i % 300);
        for (var i = 0; i < 2_000; i++) Assert.False(cache.Access(1_000 + i));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_flush_of_the_kept_pages_leaves_the_newcomers_to_go()
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var cache = new Cache(engine);
        for (var round = 0; round < 20; round++)
        {
            for (var i = 0; i < 3_000; i++) cache.Access(i % 3 != 0 ? i % 400 : 1_000 + i);
            for (var i = 0; i < 400; i++) cache.Flush(i);
        }
        Engines.AssertSound(engine);
    }

    [Fact]
    public void In_a_loop_over_more_than_fits_most_pages_stay()
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var cache = new Cache(engine);
        for (var i = 0; i < 4_000; i++) cache.Access(i);
        var loop = (int)engine.Statistics().Total.Pages * 5 / 4;
        var hits = 0;
        for (var i = 0; i < Accesses; i++)
        {
            var hit = cache.Access(10_000 + i % loop);
            if (i >= Accesses / 2 && hit) hits++;
        }
        // Where every page that comes back drives out another, none is found.
        Assert.True(hits > 0.5 * Accesses / 2, $"{hits} hits among the last {Accesses / 2} accesses");
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_page_that_returns_soon_after_its_eviction_stays_when_new_ones_come()
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var cache = new Cache(engine);
        for (var i = 0; i < 100; i++) cache.Access(i);
        for (var i = 0; i < 1_200; i++) cache.Access(1_000 + i);
        // They are gone and come back, without a use since; the others come for the first time.
        for (var i = 0; i < 100; i++) Assert.False(cache.Access(i));
        for (var i = 0; i < 100; i++) cache.Access(500 + i);
        for (var i = 0; i < 3_000; i++) cache.Access(10_000 + i);
        var returned = Enumerable.Range(0, 100).Count(cache.Has);
        var others = Enumerable.Range(500, 100).Count(cache.Has);
        Assert.True(returned > 80 && others < 20, $"{returned} of 100 that had returned stayed, and {others} of 100 others");
    }

    [Fact]
    public void A_page_of_another_pool_is_not_taken_for_one_that_returns()
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var (first, second) = (new Cache(engine), new Cache(engine));
        for (var i = 0; i < 100; i++) first.Access(i);
        for (var i = 0; i < 1_200; i++) first.Access(1_000 + i);
        for (var i = 0; i < 100; i++) second.Access(i);
        for (var i = 0; i < 3_000; i++) first.Access(10_000 + i);
        Assert.True(Enumerable.Range(0, 100).Count(second.Has) < 20);
    }

    [Fact]
    public unsafe void A_hand_changes_no_slot_that_became_another_pages()
    {
        var slot = stackalloc SlotHeader[1];
        slot->Word = SlotHeader.MakeWord(4096, 100, 1, 2);
        slot->Checksum = 0x1234_5678;
        var seen = *slot;
        slot->Word = SlotHeader.MakeWord(4104, 100, 1, 2);
        SlotHeader.ChangeUse((byte*)slot, seen, PageUse.Kept);
        Assert.Equal(2, slot->Use);
        slot->Word = seen.Word;
        SlotHeader.ChangeUse((byte*)slot, seen, PageUse.Kept);
        Assert.Equal(PageUse.Kept, slot->Use);
        Assert.Equal((4096UL, 0x1234_5678u, 100, 1), (slot->Leaf, slot->Checksum, slot->PoolPlace, slot->Bucket));
        Assert.True(slot->IsCommitted);
    }

    [Fact]
    public void Uses_are_counted_up_to_three_and_one_suffices_on_probation()
    {
        byte use = PageUse.Kept;
        for (var i = 0; i < 300; i++) use = PageUse.Counted(use);
        Assert.Equal(PageUse.Kept | PageUse.MostUses, use);
        foreach (var standing in (byte[])[PageUse.New, PageUse.Returned, PageUse.Demoted, PageUse.Used])
            Assert.Equal(PageUse.Used, PageUse.Counted(standing));
    }

    /// <summary>One of 4,000 pages, the low numbers far more often: a tenth of them gets half of the accesses.</summary>
    private static int Popular(Random random) => (int)(Math.Pow(random.NextDouble(), 3.3) * 4_000);

    private static (int Engine, int Lru) Compare(Func<int, int> page)
    {
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var cache = new Cache(engine);
        var trace = Enumerable.Range(0, Accesses).Select(page).ToArray();
        var hits = trace.Count(cache.Access);
        // LRU gets as many pages as the engine came to hold.
        var room = (int)engine.Statistics().Total.Pages;
        var (held, order) = (new Dictionary<int, LinkedListNode<int>>(), new LinkedList<int>());
        var lru = 0;
        foreach (var number in trace)
        {
            if (held.Remove(number, out var node))
            {
                order.Remove(node);
                lru++;
            }
            else if (held.Count == room)
            {
                held.Remove(order.Last!.Value);
                order.RemoveLast();
            }
            held[number] = order.AddFirst(number);
        }
        Engines.AssertSound(engine);
        return (hits, lru);
    }

    /// <summary>An ephemeral pool of the shared kind in front of something slow: a miss puts the page.</summary>
    private sealed class Cache
    {
        private readonly TmemClient _client;
        private readonly PoolId _pool;
        private readonly byte[] _page = new byte[Pages.Size];
        private readonly byte[] _noise = Pages.Random(1);

        public Cache(TmemEngine engine)
        {
            _client = engine.Client(new TmemClientId(1));
            _pool = Engines.Pool(_client, PoolFlags.Shared);
        }

        public bool Access(int number)
        {
            if (_client.Get(_pool, new ObjectId(1), (uint)number, _page) == TmemStatus.Ok)
            {
                Assert.Equal(number, BitConverter.ToInt32(_page));
                return true;
            }
            BitConverter.TryWriteBytes(_noise, number);
            Assert.Equal(TmemStatus.Ok, _client.Put(_pool, new ObjectId(1), (uint)number, _noise));
            return false;
        }

        /// <summary>Whether the page is there; a use if it is.</summary>
        public bool Has(int number) => _client.Get(_pool, new ObjectId(1), (uint)number, _page) == TmemStatus.Ok;

        public void Flush(int number) => _client.FlushPage(_pool, new ObjectId(1), (uint)number);
    }
}
