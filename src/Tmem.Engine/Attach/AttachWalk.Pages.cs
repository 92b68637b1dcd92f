using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Attach;

/// <summary>
/// The pages of the walk: each leaf is checked against its slot, and counted. Nearly all instructions of an attach are here.
/// </summary>
internal sealed unsafe partial class AttachWalk
{
    private PageCosts _tally;
    private ulong _lookedAt;
    private ulong _seen;

    /// <summary>
    /// Prefetches the headers of all pages of a node while those of the node before are adopted: the processor then waits for
    /// none of them, or, where it has no prefetch, for ten or so at a time, where <see cref="AdoptPage"/> would wait for each.
    /// </summary>
    private void LookAhead(ulong node)
    {
        if (node == _lookedAt || !_slabs.IsSlot(node, SpanKind.Nodes)) return;
        _lookedAt = node;
        var entries = ((RadixNode*)_slabs.At(node))->Entries;
        for (var slot = 0; slot < RadixNode.Fanout; slot++)
        {
            var descriptor = entries[slot];
            if (!PageDescriptor.IsSlot(descriptor)) continue;
            var place = PageDescriptor.Slot(descriptor);
            if (!_spans.Contains(place)) continue;
            if (Sse.IsSupported) Sse.Prefetch0(_slabs.At(place));
            else if (_spans.Table[_spans.SpanOf(place)].Kind != SpanKind.Free) _seen ^= *(ulong*)_slabs.At(place);
        }
    }

    /// <summary>False, with the leaf emptied, if the page is damaged.</summary>
    private bool AdoptPage(Pool pool, int bucket, ulong leaf, in ObjectId id, uint index)
    {
        var descriptor = *(ulong*)_slabs.At(leaf);
        if (PageDescriptor.IsFill(descriptor))
        {
            _tally.Add(new PageCost(0, 0, PageForm.SameFilled), 1);
            return true;
        }
        var place = PageDescriptor.Slot(descriptor);
        var kind = pool.IsPersistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        if (!PageDescriptor.IsSlot(descriptor) || !_slabs.IsSlot(place, kind) || _reached.Contains(place))
            return Drop(leaf, new PageHandle(pool.Id, id, index), $" refers to {descriptor:x}, which is not a page of its own");
        ref var header = ref *(SlotHeader*)_slabs.At(place);
        var size = _slabs.SlotBytes(place);
        var length = PageDescriptor.Length(descriptor);
        if (!header.IsCommitted || length > size - SlotHeader.Bytes)
            return Drop(leaf, new PageHandle(pool.Id, id, index),
                $": {length} bytes in its slot at {place:x}, which has header {header.Word:x16}");
        if (header.Leaf != leaf && IsOfAnotherHandle(header.Leaf, place, pool, id, index))
            return Drop(leaf, new PageHandle(pool.Id, id, index), $" refers to {descriptor:x}, which is another handle's page");
        // A page that was moving between the object and a node when the process died still names its old leaf.
        var word = SlotHeader.MakeWord(leaf, pool.Place, bucket, header.Use);
        if (header.Word != word) header.Word = word;
        _reached.Add(place);
        var format = PageDescriptor.Format(descriptor);
        _tally.Add(new PageCost(length, size, CompressedStore.FormOf(format)), 1);
        if (format == PageFormat.Dictionary && _pages.NumberIn(place) is >= 0 and var number) _dictionaries.Need(number);
        return true;
    }

    /// <summary>Counts all pages of an object at once: one counter costs as much as the rest of a page's adoption.</summary>
    private void CountPages(Pool pool)
    {
        pool.Adopt(_tally.SlotBytes);
        PageAccount.Add(pool, _tally);
        _tally = default;
    }

    /// <summary>
    /// Whether the leaf that a slot names holds it too, for another handle: then the leaf that led here is the damaged one. A
    /// page caught while its node or object was moving has two leaves as well, but both belong to one handle; one caught in an
    /// exchange is in only one leaf.
    /// </summary>
    private bool IsOfAnotherHandle(ulong named, ulong place, Pool pool, in ObjectId id, uint index)
    {
        if (!_slabs.Spans.Contains(named) || !PageDescriptor.IsAt(*(ulong*)_slabs.At(named), place)) return false;
        var (obj, number) = new LeafLocator(_slabs).Locate(named);
        if (obj == 0) return false;
        var owner = *(ObjectRecord*)_slabs.At(obj);
        return owner.IsCommitted && (owner.Pool != pool.Id || owner.Id != id || number != index);
    }

    private bool Drop(ulong leaf, in PageHandle page, string what)
    {
        _damage.Found(page, what);
        *(ulong*)_slabs.At(leaf) = 0;
        return false;
    }
}
