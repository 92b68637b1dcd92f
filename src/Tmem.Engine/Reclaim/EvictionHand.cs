using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Second chance: one hand goes round the slots of ephemeral pages. A page that was read since the hand last passed has its visited bit
/// taken away, any other is evicted. A read costs one byte store and no list has to be kept (an LRU list is two pointers a page and a
/// lock a read). Persistent pages lie in spans of another kind, which the hand passes by whole.
/// <para>Pages held in their descriptors have no slot; when nothing else is left to evict, the hand goes round nodes and objects for them,
/// because they keep index memory.</para>
/// <para>Lock order: the hand's latch, then a bucket's.</para>
/// </summary>
internal sealed unsafe class EvictionHand
{
    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private RegionOperations _operations = null!;
    private readonly Func<ulong, (ulong, uint)> _locate;
    private int _latch;
    private uint _span;
    private int _slot;

    public EvictionHand(SlabAllocator slabs, PoolTable pools, LeafLocator locator)
    {
        _slabs = slabs;
        _pools = pools;
        _locate = locator.Locate;
    }

    /// <summary>The hand and the operations need each other; the engine introduces them.</summary>
    public void Serve(RegionOperations operations) => _operations = operations;

    /// <summary>Evicts at least one ephemeral page, of one pool or of any. False if there is none left to evict.</summary>
    public bool EvictOne(Pool? only)
    {
        if (only is null ? !_pools.AnyEphemeralPages() : only.IsPersistent) return false;
        SpinLatch.Enter(ref _latch);
        try
        {
            // Two rounds: the first may only take visited bits away.
            return Sweep(2 * _slabs.Spans.HighWater + 1, only) || SweepFills(only);
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    private bool Sweep(long spans, Pool? only)
    {
        while (spans > 0)
        {
            ref var entry = ref _slabs.Spans.Table[_span];
            if (entry.Kind == SpanKind.EphemeralPages)
            {
                var size = SizeClasses.Size(entry.Class);
                var start = _slabs.Spans.PlaceOf(_span);
                for (; _slot < entry.Bump && entry.Kind == SpanKind.EphemeralPages; _slot++)
                {
                    if (!TryEvict(start + (ulong)(_slot * size), only)) continue;
                    _slot++;
                    return true;
                }
            }
            _slot = 0;
            _span = _span + 1 < _slabs.Spans.HighWater ? _span + 1 : 0;
            spans--;
        }
        return false;
    }

    private bool TryEvict(ulong place, Pool? only)
    {
        ref var header = ref *(SlotHeader*)_slabs.At(place);
        var seen = header;
        if (!seen.IsCommitted) return false;
        var pool = _pools.AtPlace(seen.PoolPlace);
        if (pool is null || pool.IsPersistent || (only is not null && pool != only)) return false;
        if (seen.Visited != 0)
        {
            header.Visited = 0;
            return false;
        }
        // Everything read so far was read without a latch; Evict believes none of it until it has seen the leaf under the latch.
        return _operations.Evict(pool, seen.Bucket, seen.Leaf, PageDescriptor.FromSlot(place), _locate);
    }

    private bool SweepFills(Pool? only)
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
                if (kind == SpanKind.Objects ? EvictFillsOfObject(place, 0, 0, only) : EvictFillsOfNode(place, only)) return true;
            }
        }
        return false;
    }

    private bool EvictFillsOfNode(ulong place, Pool? only)
    {
        var node = (RadixNode*)_slabs.At(place);
        if ((node->Header & 1) != 0 || node->Level != 1 || !_slabs.IsSlot(node->Object, SpanKind.Objects)) return false;
        var first = node->FirstIndex;
        return EvictFillsOfObject(node->Object, first, first + RadixNode.Fanout - 1, only);
    }

    private bool EvictFillsOfObject(ulong place, uint first, uint last, Pool? only)
    {
        var record = *(ObjectRecord*)_slabs.At(place);
        if (!record.IsCommitted) return false;
        var pool = _pools.Find(record.Pool);
        if (pool is null || pool.IsPersistent || (only is not null && pool != only)) return false;
        return _operations.EvictFills(pool, record.Bucket, record.Id, first, last);
    }
}
