using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>A stored page whose bytes have changed is reported, counted and never returned as data.</summary>
public sealed class CorruptionTests
{
    [Fact]
    public unsafe void Any_flipped_bit_of_a_slot_is_found()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var obj = new ObjectId(5);
        Assert.Equal(TmemStatus.Ok, client.Put(pool, obj, 9, Pages.Text(3)));
        var stored = Engines.Figures(client, pool).CompressedBytes;
        var place = FirstPageSlot(engine);
        var page = new byte[Pages.Size];
        var expected = Pages.Text(3);
        // All bits of the header except those of reclaim (use, bucket, pool place), and all of the payload.
        for (long bit = 0; bit < (SlotHeader.Bytes + stored) * 8; bit++)
        {
            if (bit is >= 1 and < 22) continue;
            var target = engine.Slabs.At(place) + bit / 8;
            *target ^= (byte)(1 << (int)(bit % 8));
            var status = client.Get(pool, obj, 9, page);
            Assert.True(status == TmemStatus.Corrupt, $"bit {bit}: {status}");
            *target ^= (byte)(1 << (int)(bit % 8));
        }
        Assert.Equal(TmemStatus.Ok, client.Get(pool, obj, 9, page));
        Assert.Equal(expected, page);
        Assert.Equal((SlotHeader.Bytes + stored) * 8 - 21, Engines.Figures(client, pool).CorruptPages);
        Engines.AssertSound(engine);
    }

    /// <summary>
    /// For a page in a slot; a same-filled page has a check of its own (PageDescriptorTests). The two bits of the age are no part
    /// of the page: whatever they say, it is the same.
    /// </summary>
    [Fact]
    public unsafe void Any_flipped_bit_of_a_leaf_is_found()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 200; i++) client.Put(pool, new ObjectId(5), i, Pages.Text((int)i));
        var leaf = Engines.Leaf(engine, pool, new ObjectId(5), 9);
        var page = new byte[Pages.Size];
        for (var bit = 0; bit < 64; bit++)
        {
            *leaf ^= 1UL << bit;
            var status = client.Get(pool, new ObjectId(5), 9, page);
            Assert.True(status == (bit is 42 or 43 ? TmemStatus.Ok : TmemStatus.Corrupt), $"bit {bit}: {status}");
            *leaf ^= 1UL << bit;
        }
        Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(5), 9, page));
        Assert.Equal(Pages.Text(9), page);
        Engines.AssertSound(engine);
    }

    [Fact]
    public unsafe void Corrupt_pages_are_named_by_their_handles()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 12; i++)
        {
            client.Put(pool, new ObjectId(5), i, Pages.Text((int)i));
            var place = PageDescriptor.Slot(*Engines.Leaf(engine, pool, new ObjectId(5), i));
            engine.Slabs.At(place)[40] ^= 1;
        }
        Assert.Empty(Recent());
        var page = new byte[Pages.Size];
        for (uint i = 0; i < 11; i++)
        {
            Assert.Equal(TmemStatus.Corrupt, client.Get(pool, new ObjectId(5), i, page));
            Assert.Equal(TmemStatus.Corrupt, client.Get(pool, new ObjectId(5), i, page));
            Assert.Equal(new PageHandle(pool, new ObjectId(5), i), Recent()[0]);
        }
        Assert.Equal(TmemStatus.Corrupt, client.Write(pool, new ObjectId(5), 11, 0, page.AsSpan(0, 8)));
        Assert.Equal(Enumerable.Range(4, 8).Reverse().Select(i => new PageHandle(pool, new ObjectId(5), (uint)i)), Recent());
        Assert.Equal(23, Engines.Figures(client, pool).CorruptPages);

        IReadOnlyList<PageHandle> Recent() => Assert.Single(engine.Statistics().Pools).RecentCorrupt;
    }

    [Fact]
    public unsafe void The_verifier_names_the_damaged_page()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, new ObjectId(5), 9, Pages.Text(3));
        engine.Slabs.At(FirstPageSlot(engine))[40] ^= 1;
        var report = engine.Verify();
        Assert.Contains("page 9", Assert.Single(report.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void The_verifier_finds_a_leaked_slot()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        Engines.Pool(client);
        unsafe
        {
            var place = engine.Slabs.Allocate(SpanKind.PersistentPages, 40);
            *(ulong*)engine.Slabs.At(place) = 0x1230;
        }
        Assert.Contains("nothing refers to it", Assert.Single(engine.Verify().Problems), StringComparison.Ordinal);
    }

    private static unsafe ulong FirstPageSlot(TmemEngine engine)
    {
        for (uint span = 0; span < engine.Slabs.Spans.HighWater; span++)
        {
            if (engine.Slabs.Spans.Table[span].Kind == SpanKind.PersistentPages) return engine.Slabs.Spans.PlaceOf(span);
        }
        throw new InvalidOperationException("no page is stored");
    }
}
