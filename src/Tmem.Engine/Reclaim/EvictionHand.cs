using Tmem.Engine.Clients;
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
internal sealed unsafe class EvictionHand : IReclaimer
{
    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private readonly OverShare _overShare;
    private RegionOperations _operations = null!;
    private readonly Func<ulong, (ulong, uint)> _locate;
    private int _latch;
    private uint _span;
    private int _slot;

    public EvictionHand(SlabAllocator slabs, PoolTable pools, ClientTable clients)
    {
        _slabs = slabs;
        _pools = pools;
        _overShare = new OverShare(clients);
        _locate = Locate;
    }

    /// <summary>The hand and the operations need each other; the engine introduces them.</summary>
    public void Serve(RegionOperations operations) => _operations = operations;

    public bool EvictOne(Pool? only)
    {
        if (only is null ? !_pools.AnyEphemeralPages() : only.IsPersistent) return false;
        SpinLatch.Enter(ref _latch);
        try
        {
            if (only is null && _overShare.Client is { } client)
            {
                if (EvictFrom(new EvictionScope(null, client))) return true;
                _overShare.RanDry();
            }
            return EvictFrom(new EvictionScope(only, null));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    public bool EvictOneOf(ClientState client)
    {
        if (client.Sum(Diagnostics.Count.Pages, ephemeralOnly: true) <= 0) return false;
        SpinLatch.Enter(ref _latch);
        try
        {
            return EvictFrom(new EvictionScope(null, client));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>Slots first; a scope whose pages seem to lie in descriptors alone is spared two rounds over everybody else's slots.</summary>
    private bool EvictFrom(in EvictionScope scope)
    {
        // Two rounds: the first may only take visited bits away.
        var rounds = 2 * _slabs.Spans.HighWater + 1;
        return scope.HasSlots ? Sweep(rounds, scope) || SweepFills(scope) : SweepFills(scope) || Sweep(rounds, scope);
    }

    private bool Sweep(long spans, in EvictionScope scope)
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
                    if (!TryEvict(start + (ulong)(_slot * size), scope)) continue;
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

    private bool TryEvict(ulong place, in EvictionScope scope)
    {
        ref var header = ref *(SlotHeader*)_slabs.At(place);
        var seen = header;
        if (!seen.IsCommitted) return false;
        var pool = _pools.AtPlace(seen.PoolPlace);
        if (pool is null || pool.IsPersistent || !scope.Covers(pool)) return false;
        if (seen.Visited != 0)
        {
            header.Visited = 0;
            return false;
        }
        // Everything read so far was read without a latch; Evict believes none of it until it has seen the leaf under the latch.
        return _operations.Evict(pool, seen.Bucket, seen.Leaf, PageDescriptor.FromSlot(place), _locate);
    }

    /// <summary>Which page a leaf is: 0 if there is no such leaf.</summary>
    private (ulong Object, uint Index) Locate(ulong leaf)
    {
        if ((leaf & 7) != 0 || !_slabs.Spans.Contains(leaf)) return default;
        var kind = _slabs.Spans.Table[_slabs.Spans.SpanOf(leaf)].Kind;
        if (kind is not (SpanKind.Objects or SpanKind.Nodes)) return default;
        var slot = _slabs.SlotOf(leaf);
        if (!_slabs.IsSlot(slot, kind)) return default;
        if (kind == SpanKind.Objects) return leaf == slot + ObjectRecord.Page0Offset ? (slot, 0u) : default;
        ref var node = ref *(RadixNode*)_slabs.At(slot);
        var entry = ((long)(leaf - slot) - RadixNode.EntriesOffset) / sizeof(ulong);
        if (node.Level != 1 || entry is < 0 or >= RadixNode.Fanout || !_slabs.IsSlot(node.Object, SpanKind.Objects)) return default;
        return (node.Object, node.FirstIndex + (uint)entry);
    }

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
                if (kind == SpanKind.Objects ? EvictFillsOfObject(place, 0, 0, scope) : EvictFillsOfNode(place, scope)) return true;
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
        return _operations.EvictFills(pool, record.Bucket, record.Id, first, last);
    }
}
