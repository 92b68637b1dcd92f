using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Chooses the pages to evict. Two hands go round the slots of ephemeral pages, each skipping the other's pages: one evicts
/// newcomers without a use and promotes those with one to kept pages, the other is a clock over the kept pages
/// (<see cref="PageUse"/>). The first moves while newcomers are more than an eighth of what it passes, so pages used once (a
/// scan) go quickly and push nothing else out. The idea is S3-FIFO's (Yang et al., SOSP 2023), with the order of slots in place
/// of its queues: an evicted page's slot is the next newcomer's, so each hand finds the oldest before it. No list, no lock on a
/// read, no byte a page but the header's.
/// <para>Hit ratios (scripts/bench engine --only eviction), Zipf 1.0 with scans and a cache of a tenth: one hand and one bit 45.0
/// %, one hand and two bits 45.8 %, LRU 44.4 %, this 49.8 %, S3-FIFO with its ghosts 50.7 %.</para>
/// <para>Persistent pages lie in spans of another kind, which the hands skip whole. Pages held in their descriptors have no slot;
/// when nothing else is left to evict, <see cref="SweepFills"/> looks for them, because they keep index memory.</para>
/// <para>Lock order: the hands' latch, then a bucket's.</para>
/// </summary>
internal sealed unsafe class EvictionHand
{
    /// <summary>Shares in fixed point.</summary>
    private const int One = 1 << 16;

    /// <summary>
    /// The newcomers' share below which a kept page is evicted instead. S3-FIFO uses a tenth; slightly more skips fewer kept
    /// pages.
    /// </summary>
    private const int NewcomersShare = One / 8;

    /// <summary>
    /// The share is an average over this many slots. 64 lose 0.2 points of hit ratio, 1,024 win 0.1 and pass more slots.
    /// </summary>
    private const int Window = 256;

    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private readonly OverShare _overShare;
    private readonly RegionRemoval _removal;
    private readonly Func<ulong, (ulong, uint)> _locate;
    private int _latch;
    private Position _newcomers;
    private Position _kept;

    /// <summary>
    /// The part of newcomers among the pages that the hands passed recently (all, before they passed any). A sample and not a
    /// count, because flushes and gets remove pages too and would have to maintain a count.
    /// </summary>
    private int _share = One;

    private struct Position
    {
        public uint Span;
        public int Slot;
    }

    public EvictionHand(SlabAllocator slabs, PoolTable pools, ClientTable clients, RegionRemoval removal, LeafLocator locator)
    {
        _slabs = slabs;
        _pools = pools;
        _removal = removal;
        _overShare = new OverShare(clients);
        _locate = locator.Locate;
    }

    /// <summary>Evicts at least one ephemeral page, of one pool or of any. False if none is left.</summary>
    public bool EvictOne(Pool? only)
    {
        if (only is null ? !_pools.AnyEphemeralPages() : only.IsPersistent) return false;
        SpinLatch.Enter(ref _latch, LatchRank.Reclaim);
        try
        {
            if (only is null && _overShare.Client is { } client)
            {
                if (EvictFrom(new EvictionScope(null, client))) return true;
                _overShare.RanDry();
            }
            return EvictFrom(new EvictionScope(only, null, only is null ? Count.Evictions : Count.EvictionsPoolLimit));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    public bool EvictOneOf(ClientState client)
    {
        if (client.Sum(Count.Pages, ephemeralOnly: true) <= 0) return false;
        SpinLatch.Enter(ref _latch, LatchRank.Reclaim);
        try
        {
            return EvictFrom(new EvictionScope(null, client, Count.EvictionsClientLimit));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>
    /// Slots first, unless the scope's pages seem to lie in descriptors alone: that saves rounds over all others' slots.
    /// </summary>
    private bool EvictFrom(in EvictionScope scope)
    {
        return scope.HasSlots ? Sweep(scope) || SweepFills(scope) : SweepFills(scope) || Sweep(scope);
    }

    private bool Sweep(in EvictionScope scope)
    {
        // After one round no newcomer is left; after as many as a page has uses, and one more, no kept page.
        var round = _slabs.Spans.HighWater + 1;
        var newcomers = round;
        var kept = (PageUse.MostUses + 1) * round;
        while (newcomers > 0 || kept > 0)
        {
            var fromNewcomers = newcomers > 0 && (_share >= NewcomersShare || kept <= 0);
            var place = fromNewcomers ? Advance(ref _newcomers, ref newcomers) : Advance(ref _kept, ref kept);
            if (place != 0 && (fromNewcomers ? PassAsNewcomer(place, scope) : PassAsKept(place, scope))) return true;
        }
        return false;
    }

    /// <summary>Moves a hand by one slot, counting spans down. 0 at the end of a span.</summary>
    private ulong Advance(ref Position hand, ref long spans)
    {
        ref var entry = ref _slabs.Spans.Table[hand.Span];
        if (entry.Kind == SpanKind.EphemeralPages && hand.Slot < entry.Bump)
            return _slabs.Spans.PlaceOf(hand.Span) + (ulong)(hand.Slot++ * SizeClasses.Size(entry.Class));
        hand.Slot = 0;
        hand.Span = hand.Span + 1 < _slabs.Spans.HighWater ? hand.Span + 1 : 0;
        spans--;
        return 0;
    }

    private bool PassAsNewcomer(ulong place, in EvictionScope scope)
    {
        if (!IsCandidate(place, scope, out var seen, out var pool)) return false;
        if ((seen.Use & PageUse.Kept) != 0) return false;
        if (seen.Use == 0) return Evict(place, seen, pool, scope.Cause);
        SlotHeader.ChangeUse(_slabs.At(place), seen, PageUse.Kept);
        return false;
    }

    private bool PassAsKept(ulong place, in EvictionScope scope)
    {
        if (!IsCandidate(place, scope, out var seen, out var pool) || (seen.Use & PageUse.Kept) == 0) return false;
        if ((seen.Use & PageUse.MostUses) != 0)
        {
            SlotHeader.ChangeUse(_slabs.At(place), seen, (byte)(seen.Use - 1));
            return false;
        }
        return Evict(place, seen, pool, scope.Cause);
    }

    private bool IsCandidate(ulong place, in EvictionScope scope, out SlotHeader seen, out Pool pool)
    {
        seen = *(SlotHeader*)_slabs.At(place);
        pool = null!;
        if (!seen.IsCommitted) return false;
        pool = _pools.AtPlace(seen.PoolPlace)!;
        if (pool is not { IsPersistent: false } || !scope.Covers(pool)) return false;
        _share += (((seen.Use & PageUse.Kept) == 0 ? One : 0) - _share) / Window;
        return true;
    }

    // Everything read so far was read without a latch; Evict trusts none of it until it has seen the leaf under the latch.
    private bool Evict(ulong place, in SlotHeader seen, Pool pool, Count cause) =>
        _removal.Evict(pool, seen.Bucket, seen.Leaf, place, _locate, cause);

    private bool SweepFills(in EvictionScope scope)
    {
        for (uint span = 0; span < _slabs.Spans.HighWater; span++)
        {
            ref var entry = ref _slabs.Spans.Table[span];
            if (entry.Kind is not (SpanKind.Objects or SpanKind.Nodes)) continue;
            var kind = entry.Kind;
            var size = SizeClasses.Size(entry.Class);
            for (var slot = 0; slot < entry.Bump && entry.Kind == kind; slot++)
            {
                var place = _slabs.Spans.PlaceOf(span) + (ulong)(slot * size);
                if (kind == SpanKind.Objects ? EvictFillsOfObject(place, 0, 0, scope) : EvictFillsOfNode(place, scope))
                    return true;
            }
        }
        return false;
    }

    private bool EvictFillsOfNode(ulong place, in EvictionScope scope)
    {
        var node = (RadixNode*)_slabs.At(place);
        if ((node->Header & 1) != 0 || node->Level != 1 || !_slabs.IsSlot(node->Object, SpanKind.Objects)) return false;
        var first = node->FirstIndex;
        return EvictFillsOfObject(node->Object, first, first + RadixNode.Fanout - 1, scope);
    }

    private bool EvictFillsOfObject(ulong place, uint first, uint last, in EvictionScope scope)
    {
        var record = *(ObjectRecord*)_slabs.At(place);
        if (!record.IsCommitted) return false;
        var pool = _pools.Find(record.Pool);
        if (pool is null || pool.IsPersistent || !scope.Covers(pool)) return false;
        return _removal.EvictFills(pool, record.Bucket, record.Id, first, last, scope.Cause);
    }
}
