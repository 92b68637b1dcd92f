using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Index;

/// <summary>Finds the page of a leaf, for look-ups that start from a slot: its header names only the leaf.</summary>
internal sealed unsafe class LeafLocator(SlabAllocator slabs)
{
    /// <summary>
    /// The page of a leaf, not yet validated: 0 if there is no such leaf. Under the latch of the page's bucket.
    /// </summary>
    public (ulong Object, uint Index) Locate(ulong leaf)
    {
        if ((leaf & 7) != 0 || !slabs.Spans.Contains(leaf)) return default;
        var kind = slabs.Spans.Table[slabs.Spans.SpanOf(leaf)].Kind;
        if (kind is not (SpanKind.Objects or SpanKind.Nodes)) return default;
        var slot = slabs.SlotOf(leaf);
        if (!slabs.IsSlot(slot, kind)) return default;
        if (kind == SpanKind.Objects) return leaf == slot + ObjectRecord.Page0Offset ? (slot, 0u) : default;
        ref var node = ref *(RadixNode*)slabs.At(slot);
        var entry = ((long)(leaf - slot) - RadixNode.EntriesOffset) / sizeof(ulong);
        if (node.Level != 1 || entry is < 0 or >= RadixNode.Fanout || !slabs.IsSlot(node.Object, SpanKind.Objects))
            return default;
        return (node.Object, node.FirstIndex + (uint)entry);
    }
}
