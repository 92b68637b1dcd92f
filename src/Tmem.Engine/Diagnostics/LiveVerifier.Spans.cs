using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>Checks spans, each under its class's latch, and then upwards: from a slot in use to what refers to it.</summary>
internal sealed unsafe partial class LiveVerifier
{
    private void CheckSpan(uint span)
    {
        var (kind, size, used) = (SpanKind.Free, 0, 0);
        slabs.WhileSpanHeld(span, () =>
        {
            ref var entry = ref _spans.Table[span];
            (kind, size) = (entry.Kind, SizeClasses.Size(entry.Class));
            used = Math.Min(entry.Bump, SizeClasses.SlotsPerSpan(entry.Class));
            CheckSlots(span, ref entry, used, size);
        });
        if (kind == SpanKind.Free) return;
        _spansChecked++;
        if (kind is SpanKind.Records or SpanKind.Dictionaries) return;
        var start = _spans.PlaceOf(span);
        for (var slot = 0; slot < used && !_suspects.IsFull; slot++)
        {
            var word = _words[slot];
            if (word == 0 || (word & SlotState.InFlight) != 0) continue;
            var place = start + (ulong)(slot * size);
            if (!LeadsBack(kind, place, word)) _suspects.Add(place, word);
        }
    }

    private void CheckSlots(uint span, ref SpanEntry entry, int used, int size)
    {
        var slots = SizeClasses.SlotsPerSpan(entry.Class);
        var start = _spans.PlaceOf(span);
        var live = 0;
        for (var slot = 0; slot < used; slot++)
        {
            _words[slot] = *(ulong*)slabs.At(start + (ulong)(slot * size));
            if (_words[slot] != 0) live++;
        }
        if (live != entry.Live || entry.Live == 0)
            Problem($"span {span} ({entry.Kind}) counts {entry.Live} slots in use and has {live} of {slots}");
        var free = 0;
        for (int next = entry.FreeHead; next != 0 && free <= slots; free++)
        {
            if (next > used || _words[next - 1] != 0)
            {
                Problem($"span {span} ({entry.Kind}): its chain of free slots leads to slot {next - 1}, which is not free");
                break;
            }
            next = (ushort)((ulong*)slabs.At(start + (ulong)((next - 1) * size)))[1];
        }
        if (free != entry.Bump - entry.Live)
            Problem($"span {span} ({entry.Kind}) chains {free} free slots of {entry.Bump - entry.Live}");
        var list = live == slots ? SpanList.None : (SpanList)(1 + live * 4 / slots);
        if (entry.List != list && entry.List != SpanList.Isolated)
            Problem($"span {span} ({entry.Kind}), {entry.Live} of {slots} slots in use, is in list {entry.List}");
        if (entry.Bump * size > entry.Present * RegionLayout.PageSize)
            Problem($"span {span} ({entry.Kind}) has {entry.Present} pages present and slots up to {entry.Bump} used");
    }

    /// <summary>Whether the owner that a used slot names leads back to it.</summary>
    private bool LeadsBack(SpanKind kind, ulong place, ulong word)
    {
        switch (kind)
        {
            case SpanKind.Objects:
                return IsInTree(place, in *(ObjectRecord*)slabs.At(place), 0, 0, 0);
            case SpanKind.Nodes:
                ref var node = ref *(RadixNode*)slabs.At(place);
                return slabs.IsSlot(node.Object, SpanKind.Objects)
                    && IsInTree(node.Object, in *(ObjectRecord*)slabs.At(node.Object), place, node.Level, node.FirstIndex);
            default:
                return _suspects.IsInLeaf(place, word);
        }
    }

    /// <summary>
    /// Whether an object is found by its id, and, if a node is given, that node by its first index. A copy of its record says
    /// where to look.
    /// </summary>
    private bool IsInTree(ulong place, in ObjectRecord seen, ulong node, int level, uint first)
    {
        var (id, number) = (seen.Id, seen.Bucket);
        if (pools.Holding(seen.Pool) is not { } pool) return false;
        ref var bucket = ref pool.BucketAt(number);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        try
        {
            if (Next(pool, number, bucket.Root, id) != place) return false;
            if (node == 0) return true;
            ref var record = ref *(ObjectRecord*)slabs.At(place);
            var at = record.Height > 0 ? record.RootNode : 0;
            for (var height = record.Height; at != 0 && height > 0; height--)
            {
                if (height == level) return at == node;
                if (!slabs.IsSlot(at, SpanKind.Nodes)) return false;
                at = ((RadixNode*)slabs.At(at))->Entries[RadixNode.Slot(first, height)];
            }
            return false;
        }
        finally { SpinLatch.Exit(ref bucket.Latch); }
    }
}
