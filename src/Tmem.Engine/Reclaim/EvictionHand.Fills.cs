using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>Pages that lie in their descriptors: found by way of the index's nodes and objects.</summary>
internal sealed unsafe partial class EvictionHand
{
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
