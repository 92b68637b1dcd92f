using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Makes everything derived anew when a process attaches to a region: which slots are in use, free chains, ordered trees, page counts,
/// back references, counters. The truth it starts from: the pool table, the kind and class of each span, the committed objects and
/// records, and whatever can be reached from an object's root. Slots that nothing reaches were never committed, or their page was gone
/// already; they become free. Half-made nodes without pages, and objects without pages, go too.
/// <para>One walk, one visit a page: the cost is a cache miss for each slot's header, and a fault for each page of memory. The misses of a
/// node's pages overlap (<see cref="LookAhead"/>), headers are written only where they change, and another thread takes most of the faults, where a
/// <see cref="RegionTakeover"/> has not taken them before.</para>
/// <para>Damage is whatever contradicts itself. It refuses the region, or, on request, what is damaged is let go: a page, a node's pages, an
/// object, a span.</para>
/// </summary>
internal sealed unsafe class AttachWalk : IDisposable
{
    private readonly RegionMemory _memory;
    private readonly SlabAllocator _slabs;
    private readonly SpanPool _spans;
    private readonly PoolTable _pools;
    private readonly ExchangeIntent _intent;
    private readonly DamageReport _damage;
    private readonly ObjectOrder<RegionHost> _order;
    private readonly HashSet<ulong> _superseded = [];
    private SlotBitmap _reached = null!;
    private Tally _tally;
    private ulong _lookedAt;
    private ulong _seen;

    public AttachWalk(RegionMemory memory, SlabAllocator slabs, PoolTable pools, ExchangeIntent intent, DamageReport damage)
    {
        _memory = memory;
        _slabs = slabs;
        _spans = slabs.Spans;
        _pools = pools;
        _intent = intent;
        _damage = damage;
        _order = new ObjectOrder<RegionHost>(new RegionHost(slabs));
    }

    public void Run()
    {
        CheckSpans();
        _spans.Adopt();
        _intent.Complete(_spans, _damage);
        _reached = new SlotBitmap(_spans);
        // Holes are punched again in Rebuild; nothing may be made present beside that.
        using (RegionPresence.Where(_memory, (long)_spans.PlaceOf((uint)_spans.HighWater))) Reach();
        for (uint span = 0; span < _spans.HighWater; span++)
        {
            if (_spans.Table[span].Kind != SpanKind.Free) Rebuild(span);
        }
    }

    public void Dispose() => _reached?.Dispose();

    /// <summary>Marks what objects and records in use reach.</summary>
    private void Reach()
    {
        FindSuperseded();
        for (uint span = 0; span < _spans.HighWater; span++)
        {
            switch (_spans.Table[span].Kind)
            {
                case SpanKind.Objects:
                    foreach (var place in SlotsOf(span)) AdoptObject(place);
                    break;
                case SpanKind.Records:
                    foreach (var place in SlotsOf(span))
                    {
                        if (Records.RecordStore.IsKept(*(ulong*)_slabs.At(place))) _reached.Add(place);
                    }
                    break;
            }
        }
    }

    private void CheckSpans()
    {
        for (uint span = 0; span < _spans.Count; span++)
        {
            ref var entry = ref _spans.Table[span];
            if (entry.Kind == SpanKind.Free) continue;
            if (entry.Kind > SpanKind.Records || entry.Class >= SizeClasses.Count || !FitsKind(entry))
            {
                _damage.Found($"span {span} has kind {(int)entry.Kind} and class {entry.Class}");
                entry = default;
                continue;
            }
            entry = new SpanEntry { Kind = entry.Kind, Class = entry.Class };
        }
    }

    /// <summary>Objects that were being moved when the process died: the new record counts, and the old one is let go.</summary>
    private void FindSuperseded()
    {
        for (uint span = 0; span < _spans.HighWater; span++)
        {
            if (_spans.Table[span].Kind != SpanKind.Objects) continue;
            foreach (var place in SlotsOf(span))
            {
                ref var record = ref *(ObjectRecord*)_slabs.At(place);
                if (!record.IsCommitted || record.Supersedes == 0) continue;
                if (_slabs.IsSlot(record.Supersedes, SpanKind.Objects) && ((ObjectRecord*)_slabs.At(record.Supersedes))->Id == record.Id)
                    _superseded.Add(record.Supersedes);
                record.Supersedes = 0;
            }
        }
        foreach (var place in _superseded) ((ObjectRecord*)_slabs.At(place))->Header = 0;
    }

    private void AdoptObject(ulong place)
    {
        ref var record = ref *(ObjectRecord*)_slabs.At(place);
        if (!record.IsCommitted || _pools.Find(record.Pool) is not { } pool) return;
        var id = record.Id;
        if (!id.IsValid || record.Bucket != Pool.BucketOf(id) || record.Height > RadixNode.MaximumHeight)
        {
            _damage.Found($"object {id} of {pool.Id} has header {record.Header:x16} and root {record.Root:x16}");
            return;
        }
        record.Pages = 0;
        var nodes = 0;
        if (record.Height > 0)
        {
            record.Page0 = 0;
            if (record.Height == 1) LookAhead(record.RootNode);
            if (AdoptNode(pool, place, record.RootNode, record.Height, 0, ref record.Pages, ref nodes) == 0) record.Root = 0;
        }
        else if (record.Page0 != 0)
        {
            if (AdoptPage(pool, record.Bucket, place + ObjectRecord.Page0Offset, id, 0)) record.Pages = 1;
        }
        CountPages(pool);
        if (record.Pages == 0) return;
        _reached.Add(place);
        record.Left = record.Right = 0;
        Treap.Insert(_order, ref pool.BucketAt(record.Bucket).Root, place, id);
        pool.Adopt(nodes * RadixNode.Bytes + ObjectRecord.Bytes);
        pool.CountIndex(nodes, 1);
    }

    /// <summary>Returns the entries in use below a node; a node without any is not reached and its parent forgets it.</summary>
    private int AdoptNode(Pool pool, ulong obj, ulong place, int level, uint first, ref long pages, ref int nodes)
    {
        var record = (ObjectRecord*)_slabs.At(obj);
        if (!_slabs.IsSlot(place, SpanKind.Nodes) || _reached.Contains(place))
        {
            _damage.Found($"object {record->Id} of {pool.Id} refers to {place:x} from index {first} on, which is not a node of its own");
            return 0;
        }
        ref var node = ref *(RadixNode*)_slabs.At(place);
        if (node.Level != level || node.FirstIndex != first)
        {
            _damage.Found($"object {record->Id} of {pool.Id}: the node at {place:x} from index {first} on belongs elsewhere");
            return 0;
        }
        // The nodes of an object that was being moved name its old place.
        node.Header = RadixNode.MakeHeader(obj, level);
        node.Used = 0;
        for (var slot = 0; slot < RadixNode.Fanout; slot++)
        {
            var entry = node.Entries[slot];
            if (entry == 0) continue;
            if (level == 2)
            {
                LookAhead(entry);
                if (slot + 1 < RadixNode.Fanout) LookAhead(node.Entries[slot + 1]);
            }
            var below = first + ((uint)slot << (level - 1) * RadixNode.Shift);
            if (level == 1)
            {
                if (!AdoptPage(pool, record->Bucket, place + RadixNode.EntriesOffset + (ulong)slot * sizeof(ulong), record->Id, below)) continue;
                pages++;
            }
            else if (AdoptNode(pool, obj, entry, level - 1, below, ref pages, ref nodes) == 0)
            {
                node.Entries[slot] = 0;
                continue;
            }
            node.Used++;
        }
        if (node.Used == 0) return 0;
        _reached.Add(place);
        nodes++;
        return node.Used;
    }

    /// <summary>
    /// Asks for the headers of all pages of a node, while those of the node before are adopted: the processor then waits for none of them, or,
    /// where it cannot be asked, for ten or so at a time, where <see cref="AdoptPage"/> would wait for each.
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

    /// <summary>False, and the leaf empty, if the page is damaged.</summary>
    private bool AdoptPage(Pool pool, int bucket, ulong leaf, in ObjectId id, uint index)
    {
        var descriptor = *(ulong*)_slabs.At(leaf);
        if (PageDescriptor.IsFill(descriptor))
        {
            _tally.Pages++;
            _tally.SameFilled++;
            return true;
        }
        var place = PageDescriptor.Slot(descriptor);
        var kind = pool.IsPersistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        if (!PageDescriptor.IsSlot(descriptor) || !_slabs.IsSlot(place, kind) || _reached.Contains(place))
            return Drop(leaf, $"{new Handle(pool.Id, id, index)} refers to {descriptor:x}, which is not a page of its own");
        ref var header = ref *(SlotHeader*)_slabs.At(place);
        var size = _slabs.SlotBytes(place);
        var length = PageDescriptor.Length(descriptor);
        if (!header.IsCommitted || length > size - SlotHeader.Bytes)
            return Drop(leaf, $"{new Handle(pool.Id, id, index)}: {length} bytes in its slot at {place:x}, which has header {header.Word:x16}");
        if (header.Leaf != leaf && IsOfAnotherHandle(header.Leaf, place, pool, id, index))
            return Drop(leaf, $"{new Handle(pool.Id, id, index)} refers to {descriptor:x}, which is another handle's page");
        // A page that was moving between the object and a node when the process died still names its old leaf.
        var word = SlotHeader.MakeWord(leaf, pool.Place, bucket, header.Use);
        if (header.Word != word) header.Word = word;
        _reached.Add(place);
        _tally.Pages++;
        _tally.CompressedBytes += length;
        _tally.SlotBytes += size;
        if (PageDescriptor.Format(descriptor) == Codec.PageFormat.Raw) _tally.Raw++;
        return true;
    }

    /// <summary>An object's pages at once: a counter costs as much as all else about a page.</summary>
    private void CountPages(Pool pool)
    {
        pool.Adopt(_tally.SlotBytes);
        var counters = pool.Counters;
        counters.Add(Count.Pages, _tally.Pages);
        counters.Add(Count.SameFilled, _tally.SameFilled);
        counters.Add(Count.CompressedBytes, _tally.CompressedBytes);
        counters.Add(Count.SlotBytes, _tally.SlotBytes);
        counters.Add(Count.Raw, _tally.Raw);
        _tally = default;
    }

    /// <summary>
    /// Whether the leaf that a slot names holds it too, for another handle: then the leaf that led here is the damaged one. A page caught while its
    /// node or object was moving has two leaves as well, but both are one handle's; one caught in an exchange is in one leaf alone.
    /// </summary>
    private bool IsOfAnotherHandle(ulong named, ulong place, Pool pool, in ObjectId id, uint index)
    {
        if (!_slabs.Spans.Contains(named) || !PageDescriptor.IsAt(*(ulong*)_slabs.At(named), place)) return false;
        var (obj, number) = new LeafLocator(_slabs).Locate(named);
        if (obj == 0) return false;
        var owner = *(ObjectRecord*)_slabs.At(obj);
        return owner.IsCommitted && (owner.Pool != pool.Id || owner.Id != id || number != index);
    }

    private bool Drop(ulong leaf, string what)
    {
        _damage.Found(what);
        *(ulong*)_slabs.At(leaf) = 0;
        return false;
    }

    /// <summary>Chains the free slots of a span and hands it to the allocator.</summary>
    private void Rebuild(uint span)
    {
        ref var entry = ref _spans.Table[span];
        var slots = SizeClasses.SlotsPerSpan(entry.Class);
        var size = (ulong)SizeClasses.Size(entry.Class);
        var start = _spans.PlaceOf(span);
        var clears = entry.Kind is SpanKind.Objects or SpanKind.Records;
        for (var slot = slots - 1; slot >= 0; slot--)
        {
            var place = start + (ulong)slot * size;
            if (_reached.Contains(place))
            {
                if (entry.Bump == 0) entry.Bump = (ushort)(slot + 1);
                entry.Live++;
                continue;
            }
            var words = (ulong*)_slabs.At(place);
            if (clears || entry.Bump != 0) words[0] = 0;
            if (entry.Bump == 0) continue;
            words[1] = entry.FreeHead;
            entry.FreeHead = (ushort)(slot + 1);
        }
        _slabs.Adopt(span);
    }

    /// <summary>What the pages of an object come to.</summary>
    private struct Tally
    {
        public long Pages;
        public long SameFilled;
        public long CompressedBytes;
        public long SlotBytes;
        public long Raw;
    }

    private static bool FitsKind(in SpanEntry entry) => entry.Kind switch
    {
        SpanKind.Nodes => entry.Class == SizeClasses.Node,
        SpanKind.Objects => entry.Class == SizeClasses.Object,
        _ => entry.Class < SizeClasses.General,
    };

    private List<ulong> SlotsOf(uint span)
    {
        var sizeClass = _spans.Table[span].Class;
        var places = new List<ulong>(SizeClasses.SlotsPerSpan(sizeClass));
        for (var slot = 0; slot < SizeClasses.SlotsPerSpan(sizeClass); slot++)
            places.Add(_spans.PlaceOf(span) + (ulong)(slot * SizeClasses.Size(sizeClass)));
        return places;
    }
}
