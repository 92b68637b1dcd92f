using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Attach;

/// <summary>
/// Rebuilds all derived state when a process attaches to a region: which slots are in use, free chains, ordered trees, page
/// counts, back references, counters. It starts from the truth: the pool table, the kind and class of each span, the committed
/// objects and records, and whatever can be reached from an object's root. Slots that nothing reaches were never committed, or
/// their page was already removed; they become free. Half-made nodes without pages, and objects without pages, go too.
/// <para>One walk, one visit a page: the cost is a cache miss for each slot's header, and a fault for each page of memory. The
/// misses of a node's pages overlap (<see cref="LookAhead"/>), headers are written only where they change, and another thread
/// takes most of the faults, unless a <see cref="RegionTakeover"/> has taken them before.</para>
/// <para>Damage is any contradiction. It refuses the region, or, on request, the damaged part is dropped: a page, a node's pages,
/// an object, a span.</para>
/// </summary>
internal sealed unsafe partial class AttachWalk : IDisposable
{
    private readonly RegionMemory _memory;
    private readonly SlabAllocator _slabs;
    private readonly SpanPool _spans;
    private readonly PoolTable _pools;
    private readonly ExchangeIntent _intent;
    private readonly Dictionaries _dictionaries;
    private readonly CompressedStore _pages;
    private readonly DamageReport _damage;
    private readonly ObjectOrder<RegionHost> _order;
    private readonly HashSet<ulong> _superseded = [];
    private SlotBitmap _reached = null!;

    public AttachWalk(RegionMemory memory, SlabAllocator slabs, Dictionaries dictionaries, PoolTable pools, ExchangeIntent intent,
        DamageReport damage)
    {
        _dictionaries = dictionaries;
        _pages = new CompressedStore(slabs, dictionaries);
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
        // Rebuild punches holes again; nothing may be made present at the same time.
        using (RegionPresence.Where(_memory, (long)_spans.PlaceOf((uint)_spans.HighWater))) Reach();
        for (uint span = 0; span < _spans.HighWater; span++)
        {
            if (_spans.Table[span].Kind != SpanKind.Free) Rebuild(span);
        }
    }

    public void Dispose() => _reached?.Dispose();

    /// <summary>Marks everything reachable from objects and records in use.</summary>
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
                        AdoptRecord(place);
                    }
                    break;
            }
        }
        _dictionaries.Adopt();
        for (var number = 0; number < Dictionaries.Most; number++)
        {
            if (_dictionaries.SlotOf(number) is not 0 and var slot) _reached.Add(slot);
        }
    }

    /// <summary>
    /// A damaged record costs what it stood for, and does not refuse the region: it is kept for its owner to find and name, also
    /// when damage may be dropped: only the owner knows what it was, and whether it can be rebuilt.
    /// </summary>
    private void AdoptRecord(ulong place)
    {
        var words = (ulong*)_slabs.At(place);
        if (!RecordHeader.IsKept(words[0])) return;
        _reached.Add(place);
        var size = _slabs.SlotBytes(place);
        if (!RecordHeader.IsSound(words[0], words[1], size)) return;
        if (RecordHeader.Pool(words[1]) is var id && id != default && _pools.Holding(id) is { } pool)
        {
            pool.Adopt(size);
            pool.Counters.Add(Count.RecordBytes, size);
        }
    }

    private void CheckSpans()
    {
        for (uint span = 0; span < _spans.Count; span++)
        {
            ref var entry = ref _spans.Table[span];
            if (entry.Kind == SpanKind.Free) continue;
            if (entry.Kind > SpanKind.Dictionaries || entry.Class >= SizeClasses.Count || !FitsKind(entry))
            {
                _damage.Found($"span {span} has kind {(int)entry.Kind} and class {entry.Class}");
                entry = default;
                continue;
            }
            entry = new SpanEntry { Kind = entry.Kind, Class = entry.Class };
        }
    }

    /// <summary>
    /// Finds objects that were being moved when the process died: the new record counts, the old one is dropped.
    /// </summary>
    private void FindSuperseded()
    {
        for (uint span = 0; span < _spans.HighWater; span++)
        {
            if (_spans.Table[span].Kind != SpanKind.Objects) continue;
            foreach (var place in SlotsOf(span))
            {
                ref var record = ref *(ObjectRecord*)_slabs.At(place);
                if (!record.IsCommitted || record.Supersedes == 0) continue;
                if (_slabs.IsSlot(record.Supersedes, SpanKind.Objects)
                    && ((ObjectRecord*)_slabs.At(record.Supersedes))->Id == record.Id)
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
            _damage.Found(new PageHandle(pool.Id, id, 0),
                $" and all others of its object: that has header {record.Header:x16} and root {record.Root:x16}");
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

    /// <summary>Returns the entries in use below a node; a node without any is not marked, and its parent drops it.</summary>
    private int AdoptNode(Pool pool, ulong obj, ulong place, int level, uint first, ref long pages, ref int nodes)
    {
        var record = (ObjectRecord*)_slabs.At(obj);
        if (!_slabs.IsSlot(place, SpanKind.Nodes) || _reached.Contains(place))
        {
            _damage.Found(new PageHandle(pool.Id, record->Id, first),
                $" and those after it: the object refers to {place:x} from index {first} on, which is not a node of its own");
            return 0;
        }
        ref var node = ref *(RadixNode*)_slabs.At(place);
        if (node.Level != level || node.FirstIndex != first)
        {
            _damage.Found(new PageHandle(pool.Id, record->Id, first),
                $" and those after it: the node at {place:x} from index {first} on belongs elsewhere");
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
                if (!AdoptPage(pool, record->Bucket, place + RadixNode.EntriesOffset + (ulong)slot * sizeof(ulong), record->Id,
                    below)) continue;
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

    private static bool FitsKind(in SpanEntry entry) => entry.Kind switch
    {
        SpanKind.Nodes => entry.Class == SizeClasses.Node,
        SpanKind.Objects => entry.Class == SizeClasses.Object,
        _ => entry.Class < SizeClasses.General,
    };

    private IEnumerable<ulong> SlotsOf(uint span) => Places(_spans.PlaceOf(span), _spans.Table[span].Class);

    private static IEnumerable<ulong> Places(ulong start, int sizeClass)
    {
        for (var slot = 0; slot < SizeClasses.SlotsPerSpan(sizeClass); slot++)
            yield return start + (ulong)(slot * SizeClasses.Size(sizeClass));
    }
}
