using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>
/// Checks the store's consistency beside other operations, a piece at a time, so that none is held up: a bucket's latch is held
/// for <see cref="Most"/> slots (half a millisecond), a class's for one span. <see cref="TmemVerifier"/> takes a standstill and
/// maps all reached slots; here, each claim must hold by itself at any moment:
/// <list type="bullet">
/// <item>down from a bucket, under its latch: each object is where its id belongs, each node names its object, level and place,
/// each page's slot names the leaf that led to it. So nothing has two owners: it names one, and the other is found out.</item>
/// <item>a span, under its class's latch: slots in use, free chain, list.</item>
/// <item>up from each slot in use: the owner it names leads back to it. A slot that fails this may be in flight, and is checked
/// again; only one that keeps failing is a leak.</item>
/// </list>
/// Only <see cref="TmemVerifier"/> compares counters: what they count never stands still here.
/// </summary>
internal sealed unsafe partial class LiveVerifier(
    SlabAllocator slabs, Dictionaries dictionaries, PoolTable pools, RegionOperations operations) : IDisposable
{
    /// <summary>Slots checked under one hold of a bucket's latch, up to the end of the current node.</summary>
    public const int Most = 4096;

    private const int DeepestTree = 1000;

    private readonly SpanPool _spans = slabs.Spans;
    private readonly List<string> _problems = [];
    private readonly List<PageHandle> _corrupt = [];
    private readonly SuspectSlots _suspects = new(slabs);
    private readonly ulong* _words = (ulong*)NativeMemory.Alloc((nuint)(RegionLayout.SpanBytes / 32 * sizeof(ulong)));
    /// <summary>Following the index further may lead out of the region.</summary>
    private bool _leadsAstray;
    private int _looked;
    private long _pages;
    private long _objects;
    private long _spansChecked;

    /// <summary>The most slots checked under one hold of a bucket's latch.</summary>
    public int LongestHold { get; private set; }

    public VerifierReport Run(CancellationToken cancellation = default)
    {
        for (uint span = 0; span < _spans.HighWater; span++) CheckEntry(span);
        if (!_leadsAstray)
        {
            List<Pool> known = [];
            pools.WhileUnchanged(() => known = pools.Known());
            foreach (var pool in known)
                for (var number = 0; number < Pool.BucketCount; number++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    CheckBucket(pool, number);
                }
            for (uint span = 0; span < _spans.HighWater; span++) CheckSpan(span);
            if (_spans.Overrun is var over and > 0)
                Problem($"memory was given out up to {over} bytes beyond the capacity, which is {_spans.Capacity}");
            if (!_leadsAstray)
            {
                _suspects.Report(waits: true, LeadsBack, Problem);
                new DictionaryCheck(slabs, dictionaries).Run(quiescent: false, Problem);
                using var walk = new PageWalk(operations);
                foreach (var pool in known) _pages += walk.Run(pool, Corrupt, cancellation);
            }
        }
        if (_leadsAstray) Problem("the index or the span table leads astray: pages were not read and counters not compared");
        return new VerifierReport(_pages, _objects, _spansChecked, _problems) { CorruptPages = _corrupt };
    }

    public void Dispose() => NativeMemory.Free(_words);

    /// <summary>The span's entry tells where its slots begin: with a damaged one nothing can be walked.</summary>
    private void CheckEntry(uint span)
    {
        // Its fields are written one after the other, under latches not held here: only damage persists.
        for (var look = 0; look < 3; look++)
        {
            if (IsWhole(in _spans.Table[span])) return;
            Thread.Sleep(1);
        }
        ref var entry = ref _spans.Table[span];
        Problem(
            $"span {span} has kind {(int)entry.Kind}, class {entry.Class} and {entry.Bump} slots used so far: its entry is "
            + "damaged");
        _leadsAstray = true;

        static bool IsWhole(in SpanEntry entry) => entry.Kind == SpanKind.Free
            || (entry.Kind <= SpanKind.Dictionaries && entry.Class < SizeClasses.Count
                && entry.Bump <= SizeClasses.SlotsPerSpan(entry.Class));
    }

    private void CheckBucket(Pool pool, int number)
    {
        var (from, index, more) = (default(ObjectId), 0UL, true);
        while (more && !_leadsAstray)
        {
            ref var bucket = ref pool.BucketAt(number);
            SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
            try { more = CheckSome(pool, number, bucket.Root, ref from, ref index); }
            finally { SpinLatch.Exit(ref bucket.Latch); }
            LongestHold = Math.Max(LongestHold, _looked);
        }
    }

    /// <summary>
    /// Checks objects from an id on, in the first one pages from an index on; false at the bucket's end. Under the bucket's
    /// latch.
    /// </summary>
    private bool CheckSome(Pool pool, int number, ulong root, ref ObjectId from, ref ulong index)
    {
        for (_looked = 0; _looked < Most;)
        {
            var place = Next(pool, number, root, from);
            if (place == 0) return false;
            ref var record = ref *(ObjectRecord*)slabs.At(place);
            var id = record.Id;
            if (id != from) index = 0;
            from = id;
            if (index == 0)
            {
                _objects++;
                if (record.Header != ObjectRecord.MakeHeader(pool.Id, number) || Pool.BucketOf(id) != number)
                    Problem($"{pool.Id}, bucket {number}: object {id} has header {record.Header:x16}");
            }
            var whole = index == 0;
            long pages = 0;
            if (!CheckObject(pool, place, in record, ref index, ref pages)) return true;
            if (whole && !_leadsAstray && (pages != record.Pages || pages == 0))
                Problem($"{pool.Id}: object {id} counts {record.Pages} pages and has {pages}");
            _looked++;
            if (_leadsAstray || id == ObjectId.Invalid) return false;
            from = id.Next();
            index = 0;
        }
        return true;
    }

    /// <summary>The object with the lowest id at or above one; 0 if there is none.</summary>
    private ulong Next(Pool pool, int number, ulong place, in ObjectId from)
    {
        ulong best = 0;
        for (var depth = 0; place != 0; depth++)
        {
            if (!slabs.IsSlot(place, SpanKind.Objects) || depth > DeepestTree)
            {
                Problem($"{pool.Id}, bucket {number}: its tree refers to {place:x}, which is not an object of its own");
                _leadsAstray = true;
                return 0;
            }
            ref var record = ref *(ObjectRecord*)slabs.At(place);
            var side = from.CompareTo(record.Id);
            if (side == 0) return place;
            if (side < 0) best = place;
            place = side < 0 ? record.Left : record.Right;
        }
        return best;
    }

    /// <summary>False if the hold's time ran out first; <paramref name="index"/> is where to continue.</summary>
    private bool CheckObject(Pool pool, ulong place, in ObjectRecord record, ref ulong index, ref long pages)
    {
        if (record.Height > 0)
        {
            if (record.Page0 != 0) Problem($"{pool.Id}: object {record.Id} has nodes and a page of its own");
            if (record.Height > RadixNode.MaximumHeight)
            {
                Problem($"{pool.Id}: object {record.Id} has a tree of {record.Height} levels");
                _leadsAstray = true;
                return true;
            }
            return CheckNode(pool, place, in record, record.RootNode, record.Height, 0, ref index, ref pages);
        }
        if (record.Page0 == 0) return true;
        pages = 1;
        CheckPage(pool, in record, place + ObjectRecord.Page0Offset, 0);
        return true;
    }

    private bool CheckNode(Pool pool, ulong obj, in ObjectRecord record, ulong place, int level, uint first, ref ulong index,
        ref long pages)
    {
        if (!slabs.IsSlot(place, SpanKind.Nodes))
        {
            Problem($"{pool.Id}: object {record.Id} refers to {place:x}, which is not a node of its own");
            _leadsAstray = true;
            return true;
        }
        ref var node = ref *(RadixNode*)slabs.At(place);
        if (node.Level != level || node.Object != obj || node.FirstIndex != first)
        {
            Problem($"{pool.Id}: the node at {place:x} is not object {record.Id}'s level {level} from index {first}");
            _leadsAstray = true;
            return true;
        }
        _looked++;
        var used = 0;
        for (var slot = 0; slot < RadixNode.Fanout; slot++)
        {
            var entry = node.Entries[slot];
            if (entry == 0) continue;
            used++;
            var below = first + ((ulong)slot << (level - 1) * RadixNode.Shift);
            var end = below + (1UL << (level - 1) * RadixNode.Shift);
            if (end <= index || below > uint.MaxValue) continue;
            if (level > 1)
            {
                if (_looked >= Most)
                {
                    index = below;
                    return false;
                }
                if (!CheckNode(pool, obj, in record, entry, level - 1, (uint)below, ref index, ref pages)) return false;
                if (_leadsAstray) return true;
                continue;
            }
            pages++;
            _looked++;
            CheckPage(pool, in record, place + RadixNode.EntriesOffset + (ulong)slot * sizeof(ulong), (uint)below);
        }
        if (used != node.Used || used == 0)
            Problem($"{pool.Id}: the node of object {record.Id} at {place:x} counts {node.Used} entries and has {used}");
        return true;
    }

    private void CheckPage(Pool pool, in ObjectRecord record, ulong leaf, uint index)
    {
        var descriptor = *(ulong*)slabs.At(leaf);
        if (PageDescriptor.IsFill(descriptor)) return;
        var place = PageDescriptor.Slot(descriptor);
        var kind = pool.IsPersistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        var handle = new PageHandle(pool.Id, record.Id, index);
        if (!PageDescriptor.IsSlot(descriptor) || !slabs.IsSlot(place, kind))
        {
            Problem($"{handle} refers to {descriptor:x}, which is not a page of its own");
            return;
        }
        ref var header = ref *(SlotHeader*)slabs.At(place);
        // It may be under another bucket's latch, and changing: the word is only examined.
        if (header.IsCommitted && header.Leaf != leaf && _spans.Contains(header.Leaf)
            && _spans.Table[_spans.SpanOf(header.Leaf)].Kind is SpanKind.Nodes or SpanKind.Objects
            && PageDescriptor.IsAt(*(ulong*)slabs.At(header.Leaf), place))
        {
            Problem($"{handle} refers to {descriptor:x}, which is not a page of its own");
            return;
        }
        if (!header.IsCommitted || header.Leaf != leaf || header.PoolPlace != pool.Place || header.Bucket != record.Bucket)
            Problem(
                $"{handle}: its slot at {place:x} names leaf {header.Leaf:x} of pool place {header.PoolPlace}, bucket "
                + $"{header.Bucket}");
        var length = PageDescriptor.Length(descriptor);
        if (length > slabs.SlotBytes(place) - SlotHeader.Bytes)
            Problem(
                $"{handle} has {length} bytes in its slot at {place:x}, which holds {slabs.SlotBytes(place) - SlotHeader.Bytes}");
    }

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
