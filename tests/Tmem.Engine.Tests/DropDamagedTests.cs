using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>A damaged region is refused by name, and on request served without exactly what is damaged.</summary>
public sealed class DropDamagedTests : IDisposable
{
    private const uint Pages = 500;
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-damage-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public unsafe void A_flipped_bit_of_a_page_costs_that_page()
    {
        var pool = Fill(engine =>
        {
            foreach (var index in new uint[] { 7, 300 }) engine.Slabs.At(SlotOf(engine, index))[20] ^= 4;
        });
        // Without that option, attach reads no page: the damage shows when the page is read.
        using (var engine = Open(drop: false))
        {
            Assert.Equal(TmemStatus.Corrupt, engine.Client(new TmemClientId(1)).Get(pool, new ObjectId(1), 7, new byte[4096]));
        }
        using (var engine = Open(drop: true))
        {
            Assert.Equal(2, engine.DroppedCount);
            Assert.Contains("page 7", engine.Dropped[0], StringComparison.Ordinal);
            AssertAllBut(engine, pool, index => index is 7 or 300);
        }
        using (var engine = Open(drop: true)) Assert.Equal(0, engine.DroppedCount);
    }

    [Fact]
    public unsafe void A_leaf_that_leads_astray_costs_its_page()
    {
        var pool = Fill(engine =>
        {
            *LeafOf(engine, 9) += 1;                        // into the middle of a slot
            *LeafOf(engine, 70) = *LeafOf(engine, 71);      // one slot, two pages
            *LeafOf(engine, 400) = PageDescriptor.FromSlot(1UL << 40, 100, 1);
        });
        Refused("page 9");
        using var engine = Open(drop: true);
        Assert.Equal(3, engine.DroppedCount);
        // Of two pages that claim one slot, the one whose leaf the slot names keeps it whole; the other would return another
        // page's contents.
        AssertAllBut(engine, pool, index => index is 9 or 70 or 400);
    }

    [Fact]
    public unsafe void A_broken_node_costs_the_pages_below_it()
    {
        var pool = Fill(engine => ((RadixNode*)engine.Slabs.At(engine.Slabs.SlotOf(LeafPlace(engine, 128))))->FirstIndex = 640);
        Refused("belongs elsewhere");
        using var engine = Open(drop: true);
        Assert.Contains("from index 128", Assert.Single(engine.Dropped), StringComparison.Ordinal);
        AssertAllBut(engine, pool, index => index is >= 128 and < 192);
    }

    [Fact]
    public unsafe void A_broken_span_costs_what_it_held()
    {
        var held = new HashSet<uint>();
        var pool = Fill(engine =>
        {
            var spans = engine.Slabs.Spans;
            var span = spans.SpanOf(SlotOf(engine, 3));
            for (uint i = 0; i < Pages; i++)
            {
                if (spans.SpanOf(SlotOf(engine, i)) == span) held.Add(i);
            }
            spans.Table[span].Class = 255;
        });
        Refused("class 255");
        using var engine = Open(drop: true);
        Assert.Equal(1 + held.Count, engine.DroppedCount);
        Assert.Contains("class 255", engine.Dropped[0], StringComparison.Ordinal);
        AssertAllBut(engine, pool, held.Contains);
    }

    private void Refused(string because)
    {
        var error = Assert.Throws<RegionException>(() => Open(drop: false));
        Assert.Contains(_path, error.Message, StringComparison.Ordinal);
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        // Only a full scan knows which files are affected.
        Assert.Contains("tmemd --check-region", error.Message, StringComparison.Ordinal);
    }

    private PoolId Fill(Action<TmemEngine> damage)
    {
        using var engine = Open(drop: false);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < Pages; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Tests.Pages.Text((int)i)));
        damage(engine);
        return pool;
    }

    private static void AssertAllBut(TmemEngine engine, PoolId pool, Func<uint, bool> gone)
    {
        Engines.AssertSound(engine);
        var client = engine.Client(new TmemClientId(1));
        var page = new byte[4096];
        for (uint i = 0; i < Pages; i++)
        {
            var status = client.Get(pool, new ObjectId(1), i, page);
            Assert.True(status == (gone(i) ? TmemStatus.Miss : TmemStatus.Ok), $"page {i}: {status}");
            if (status == TmemStatus.Ok) Assert.Equal(Tests.Pages.Text((int)i), page);
        }
    }

    private static unsafe ulong LeafPlace(TmemEngine engine, uint index)
    {
        for (uint span = 0; span < engine.Slabs.Spans.HighWater; span++)
        {
            ref var entry = ref engine.Slabs.Spans.Table[span];
            for (var slot = 0; entry.Kind == SpanKind.Nodes && slot < entry.Bump; slot++)
            {
                var place = engine.Slabs.Spans.PlaceOf(span) + (ulong)(slot * RadixNode.Bytes);
                var node = (RadixNode*)engine.Slabs.At(place);
                if (node->Level == 1 && node->FirstIndex == (index & ~63u))
                    return place + RadixNode.EntriesOffset + (index & 63) * 8;
            }
        }
        throw new InvalidOperationException("no such page");
    }

    private static unsafe ulong* LeafOf(TmemEngine engine, uint index) => (ulong*)engine.Slabs.At(LeafPlace(engine, index));

    private static unsafe ulong SlotOf(TmemEngine engine, uint index) => PageDescriptor.Slot(*LeafOf(engine, index));

    private TmemEngine Open(bool drop) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 16 * Engines.Mebi, RegionPath = _path, DropDamaged = drop, CompactInBackground = false,
    });
}
