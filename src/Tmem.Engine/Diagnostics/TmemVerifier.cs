using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>
/// Checks the whole store's consistency, in three passes. First the structure, in a standstill: ordered trees, nodes,
/// descriptors, back references, and that the slots in use are exactly those the index reaches. Then the pages, one by one beside
/// the running load: each must pass its checksum and unpack. Last, slots that nothing reached are checked again: an operation
/// that had just removed a page from the index frees its slot a moment later, or lets it wait; only a slot that stays unreached
/// is a leak.
/// </summary>
internal sealed unsafe class TmemVerifier : IDisposable
{
    private readonly SlabAllocator _slabs;
    private readonly SpanPool _spans;
    private readonly PoolTable _pools;
    private readonly RegionOperations _operations;
    private readonly Dictionaries _dictionaries;
    private readonly CompressedStore _store;
    private readonly long[] _needs = new long[Dictionaries.Most];
    private readonly List<string> _problems = [];
    private readonly List<PageHandle> _corrupt = [];
    private readonly SuspectSlots _suspects;
    private readonly Dictionary<PoolId, PoolStatistics> _walked = [];
    private readonly Dictionary<PoolId, long> _recordBytes = [];
    private SlotBitmap _reached = null!;
    private bool _quiescent;
    /// <summary>Following the index further may lead out of the region.</summary>
    private bool _leadsAstray;
    private long _pages;
    private long _objects;
    private long _spansChecked;

    public TmemVerifier(SlabAllocator slabs, Dictionaries dictionaries, PoolTable pools, RegionOperations operations)
    {
        _dictionaries = dictionaries;
        _store = new CompressedStore(slabs, dictionaries);
        _slabs = slabs;
        _spans = slabs.Spans;
        _pools = pools;
        _operations = operations;
        _suspects = new SuspectSlots(slabs);
    }

    /// <summary>For tests: called between the checks of the structure and of the pages.</summary>
    internal Action? AfterStructure { get; init; }

    public VerifierReport Run(bool quiescent, CancellationToken cancellation = default)
    {
        _quiescent = quiescent;
        IReadOnlyList<Pool> pools = [];
        // Taken under the standstill: a pool created after the list was taken would seem unreached.
        Standstill.Run(_pools, _slabs, noneWaits: true, all => CheckStructure(pools = all));
        if (_leadsAstray)
        {
            Problem("the index or the span table leads astray: pages were not read and counters not compared");
            return new VerifierReport(_pages, _objects, _spansChecked, _problems);
        }
        if (quiescent) CheckCounters(pools);
        new DictionaryCheck(_slabs, _dictionaries).Run(quiescent, Problem);
        AfterStructure?.Invoke();
        using var walk = new PageWalk(_operations);
        foreach (var pool in pools)
            _pages += walk.Run(pool, Corrupt, cancellation);
        _suspects.Report(waits: !quiescent, IsReferred, Problem);
        return new VerifierReport(_pages, _objects, _spansChecked, _problems) { CorruptPages = _corrupt };
    }

    public void Dispose() => _reached?.Dispose();

    private void CheckStructure(IReadOnlyList<Pool> pools)
    {
        for (uint span = 0; span < _spans.HighWater; span++) CheckEntry(span);
        // The span's entry tells where its slots begin: with a damaged one nothing can be walked.
        if (_leadsAstray) return;
        _reached = new SlotBitmap(_spans);
        foreach (var pool in pools)
        {
            var figures = new PoolCounters();
            for (var number = 0; number < Pool.BucketCount; number++)
            {
                ObjectId? previous = null;
                CheckTree(pool, number, pool.BucketAt(number).Root, ref previous, figures);
            }
            _walked[pool.Id] = figures.Read(pool.PageSize);
        }
        for (uint span = 0; span < _spans.HighWater; span++) CheckSpan(span);
        if (_spans.Overrun is var over and > 0)
            Problem($"memory was given out up to {over} bytes beyond the capacity, which is {_spans.Capacity}");
        if (_spans.Disagreement() is { } words) Problem(words);
    }

    private void CheckTree(Pool pool, int bucket, ulong place, ref ObjectId? previous, PoolCounters figures)
    {
        if (place == 0) return;
        if (!_slabs.IsSlot(place, SpanKind.Objects) || !_reached.Add(place))
        {
            Problem($"{pool.Id}, bucket {bucket}: its tree refers to {place:x}, which is not an object of its own");
            _leadsAstray = true;
            return;
        }
        var record = *(ObjectRecord*)_slabs.At(place);
        CheckTree(pool, bucket, record.Left, ref previous, figures);
        var id = record.Id;
        if (record.Header != ObjectRecord.MakeHeader(pool.Id, bucket) || Pool.BucketOf(id) != bucket)
            Problem($"{pool.Id}, bucket {bucket}: object {id} has header {record.Header:x16}");
        if (previous is { } before && before >= id) Problem($"{pool.Id}, bucket {bucket}: object {id} stands after {before}");
        previous = id;
        _objects++;
        figures.Add(Count.Objects);
        figures.Add(Count.IndexBytes, ObjectRecord.Bytes);
        long pages = 0;
        if (record.Height > 0)
        {
            if (record.Page0 != 0) Problem($"{pool.Id}: object {id} has nodes and a page of its own");
            CheckNode(pool, place, record, record.RootNode, record.Height, 0, figures, ref pages);
        }
        else if (record.Page0 != 0)
        {
            pages = 1;
            CheckPage(pool, record, place + ObjectRecord.Page0Offset, 0, figures);
        }
        if (pages != record.Pages || pages == 0) Problem($"{pool.Id}: object {id} counts {record.Pages} pages and has {pages}");
        CheckTree(pool, bucket, record.Right, ref previous, figures);
    }

    private void CheckNode(
        Pool pool, ulong obj, in ObjectRecord record, ulong place, int level, uint first, PoolCounters figures, ref long pages)
    {
        if (!_slabs.IsSlot(place, SpanKind.Nodes) || !_reached.Add(place))
        {
            Problem($"{pool.Id}: object {record.Id} refers to {place:x}, which is not a node of its own");
            _leadsAstray = true;
            return;
        }
        ref var node = ref *(RadixNode*)_slabs.At(place);
        if (node.Level != level || node.Object != obj || node.FirstIndex != first)
        {
            Problem($"{pool.Id}: the node at {place:x} is not object {record.Id}'s level {level} from index {first}");
            _leadsAstray = true;
        }
        figures.Add(Count.IndexBytes, RadixNode.Bytes);
        var used = 0;
        for (var slot = 0; slot < RadixNode.Fanout; slot++)
        {
            var entry = node.Entries[slot];
            if (entry == 0) continue;
            used++;
            var below = first + ((uint)slot << (level - 1) * RadixNode.Shift);
            if (level > 1)
            {
                CheckNode(pool, obj, record, entry, level - 1, below, figures, ref pages);
                continue;
            }
            pages++;
            CheckPage(pool, record, place + RadixNode.EntriesOffset + (ulong)slot * sizeof(ulong), below, figures);
        }
        if (used == 0 || used != node.Used)
            Problem($"{pool.Id}: object {record.Id}, node from index {first}: counts {node.Used} entries and has {used}");
    }

    private void CheckPage(Pool pool, in ObjectRecord record, ulong leaf, uint index, PoolCounters figures)
    {
        figures.Add(Count.Pages);
        var descriptor = *(ulong*)_slabs.At(leaf);
        if (PageDescriptor.IsFill(descriptor))
        {
            figures.Add(Count.SameFilledPages);
            return;
        }
        var place = PageDescriptor.Slot(descriptor);
        var kind = pool.IsPersistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        var handle = new PageHandle(pool.Id, record.Id, index);
        if (!PageDescriptor.IsSlot(descriptor) || !_slabs.IsSlot(place, kind) || !_reached.Add(place))
        {
            Problem($"{handle} refers to {descriptor:x}, which is not a page of its own");
            return;
        }
        ref var header = ref *(SlotHeader*)_slabs.At(place);
        if (!header.IsCommitted || header.Leaf != leaf || header.PoolPlace != pool.Place || header.Bucket != record.Bucket)
            Problem(
                $"{handle}: its slot at {place:x} names leaf {header.Leaf:x} of pool place {header.PoolPlace}, bucket "
                + $"{header.Bucket}");
        var length = PageDescriptor.Length(descriptor);
        if (length > _slabs.SlotBytes(place) - SlotHeader.Bytes)
            Problem(
                $"{handle} has {length} bytes in its slot at {place:x}, which holds "
                + $"{_slabs.SlotBytes(place) - SlotHeader.Bytes}");
        var format = PageDescriptor.Format(descriptor);
        var form = CompressedStore.FormOf(format);
        figures.Add(Count.CompressedBytes, length);
        figures.Add(Count.SlotBytes, _slabs.SlotBytes(place));
        if (form == PageForm.Raw) figures.Add(Count.RawPages);
        if (form == PageForm.Zstd) figures.Add(Count.ZstdPages);
        if (form == PageForm.Zstd) figures.Add(Count.ZstdBytes, length);
        if (form != PageForm.Dictionary) return;
        figures.Add(Count.DictionaryPages);
        figures.Add(Count.DictionaryBytes, length);
        if (_store.NumberIn(place) is >= 0 and var number) _needs[number]++;
    }

    private void CheckEntry(uint span)
    {
        ref var entry = ref _spans.Table[span];
        if (entry.Kind == SpanKind.Free) return;
        if (entry.Kind <= SpanKind.Dictionaries && entry.Class < SizeClasses.Count
            && entry.Bump <= SizeClasses.SlotsPerSpan(entry.Class)) return;
        Problem(
            $"span {span} has kind {(int)entry.Kind}, class {entry.Class} and {entry.Bump} slots used so far: its entry is "
            + "damaged");
        _leadsAstray = true;
    }

    private void CheckSpan(uint span)
    {
        ref var entry = ref _spans.Table[span];
        if (entry.Kind == SpanKind.Free) return;
        _spansChecked++;
        var slots = SizeClasses.SlotsPerSpan(entry.Class);
        var start = _spans.PlaceOf(span);
        var live = 0;
        for (var slot = 0; slot < entry.Bump; slot++)
        {
            var place = start + (ulong)(slot * SizeClasses.Size(entry.Class));
            var word = *(ulong*)_slabs.At(place);
            if (word == 0) continue;
            live++;
            if (entry.Kind == SpanKind.Records) CountRecord(place);
            // A record not committed yet is its owner's to finish or to free; dictionaries have a check of their own.
            if (entry.Kind is SpanKind.Records or SpanKind.Dictionaries) continue;
            if (_quiescent && (word & SlotState.InFlight) != 0)
                Problem($"the slot at {place:x} of span {span} ({entry.Kind}) was taken and neither committed nor freed");
            if ((word & SlotState.InFlight) == 0 && !_reached.Contains(place)) _suspects.Add(place, word);
        }
        if (live != entry.Live || entry.Live == 0)
            Problem($"span {span} ({entry.Kind}) counts {entry.Live} slots in use and has {live} of {slots}");
        var free = 0;
        for (int next = entry.FreeHead; next != 0 && free <= slots; free++)
        {
            var place = start + (ulong)((next - 1) * SizeClasses.Size(entry.Class));
            if (next > entry.Bump || *(ulong*)_slabs.At(place) != 0)
            {
                Problem($"span {span} ({entry.Kind}): its chain of free slots leads to slot {next - 1}, which is not free");
                break;
            }
            next = (ushort)((ulong*)_slabs.At(place))[1];
        }
        if (free != entry.Bump - entry.Live)
            Problem($"span {span} ({entry.Kind}) chains {free} free slots of {entry.Bump - entry.Live}");
        var list = live == slots ? SpanList.None : (SpanList)(1 + live * 4 / slots);
        if (entry.List != list && !(entry.List == SpanList.Isolated && !_quiescent))
            Problem($"span {span} ({entry.Kind}), {entry.Live} of {slots} slots in use, is in list {entry.List}");
        if (entry.Bump * SizeClasses.Size(entry.Class) > entry.Present * RegionLayout.PageSize)
            Problem($"span {span} ({entry.Kind}) has {entry.Present} pages present and slots up to {entry.Bump} used");
    }

    private void CountRecord(ulong place)
    {
        var words = (ulong*)_slabs.At(place);
        var size = _slabs.SlotBytes(place);
        if (!RecordHeader.IsSound(words[0], words[1], size)) return;
        var pool = RecordHeader.Pool(words[1]);
        _recordBytes[pool] = _recordBytes.GetValueOrDefault(pool) + size;
    }

    private void CheckCounters(IReadOnlyList<Pool> pools)
    {
        for (var number = 0; number < Dictionaries.Most; number++)
        {
            if (_dictionaries.Needs(number) != _needs[number])
                Problem($"dictionary {number} counts {_dictionaries.Needs(number)} pages that need it, and has {_needs[number]}");
        }
        foreach (var pool in pools)
        {
            var counted = pool.Counters.Read(pool.PageSize);
            var walked = _walked[pool.Id];
            Agree(pool, "pages", counted.Pages, walked.Pages);
            Agree(pool, "objects", counted.Objects, walked.Objects);
            Agree(pool, "compressed bytes", counted.CompressedBytes, walked.CompressedBytes);
            Agree(pool, "slot bytes", counted.SlotBytes, walked.SlotBytes);
            Agree(pool, "index bytes", counted.IndexBytes, walked.IndexBytes);
            Agree(pool, "same-filled pages", counted.SameFilledPages, walked.SameFilledPages);
            Agree(pool, "raw pages", counted.RawPages, walked.RawPages);
            Agree(pool, "Zstandard pages", counted.ZstdPages, walked.ZstdPages);
            Agree(pool, "Zstandard bytes", counted.ZstdBytes, walked.ZstdBytes);
            Agree(pool, "pages with a dictionary", counted.DictionaryPages, walked.DictionaryPages);
            Agree(pool, "bytes with a dictionary", counted.DictionaryBytes, walked.DictionaryBytes);
            var records = _recordBytes.GetValueOrDefault(pool.Id);
            Agree(pool, "record bytes", counted.RecordBytes, records);
            Agree(pool, "bytes towards its limit", pool.Memory, walked.SlotBytes + walked.IndexBytes + records);
        }
    }

    private void Agree(Pool pool, string what, long counted, long walked)
    {
        if (counted != walked) Problem($"{pool.Id} counts {counted} {what} and has {walked}");
    }

    /// <summary>A page may have been linked since; nodes and objects are freed under the latch they were seen under.</summary>
    private bool IsReferred(SpanKind kind, ulong place, ulong word) =>
        kind is SpanKind.PersistentPages or SpanKind.EphemeralPages && _suspects.IsInLeaf(place, word);

    private void Corrupt(PageHandle handle)
    {
        if (_problems.Count < VerifierReport.MaximumProblems) _corrupt.Add(handle);
        Problem($"{handle} is corrupt: its stored bytes fail their checksum or do not unpack");
    }

    private void Problem(string sentence)
    {
        if (_problems.Count < VerifierReport.MaximumProblems) _problems.Add(sentence);
    }
}
