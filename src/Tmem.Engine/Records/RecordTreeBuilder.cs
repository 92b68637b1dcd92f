using System.Numerics;
using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Index;

namespace Tmem.Engine.Records;

/// <summary>
/// Builds trees of records from lists, for an attach. Inserting records one by one in a tree of a million costs 20 cache misses
/// each; a sorted list becomes a tree in one pass, its right edge kept on a stack. The list is linked through the records' own
/// left links, distributed over buckets by the keys' upper bits, which hashes fill evenly, and each bucket is sorted by merging:
/// whatever the keys are, it is never worse than a merge sort.
/// </summary>
/// <typeparam name="T">The record's struct.</typeparam>
internal sealed class RecordTreeBuilder<T>(RecordStore store)
    where T : unmanaged, ITreeRecord<T>
{
    /// <summary>Heads of the buckets: all the memory that the largest directory takes.</summary>
    private const int MostBuckets = 1 << 16;

    /// <summary>Buckets whose records are prefetched together, so that the misses overlap.</summary>
    private const int Ahead = 8;

    /// <summary>A bound on the right edge, by chance 1.4 log2 n long: below 200 for a thousand million records.</summary>
    private const int Deepest = 1000;

    private readonly ulong[] _buckets = new ulong[MostBuckets];
    private readonly (ulong Record, ulong Priority)[] _edge = new (ulong, ulong)[Deepest];
    private readonly ulong[] _runs = new ulong[64];
    private int _depth;
    private ulong _lastKey;
    private ulong _twins;

    /// <summary>Puts a record in front of a list.</summary>
    public void Push(ref ulong list, RecordRef record)
    {
        ref var first = ref store.Get<T>(record);
        T.Left(ref first) = list;
        T.Right(ref first) = 0;
        list = record.Value;
    }

    /// <summary>
    /// Makes a tree of the list that a root word leads to. Of records with one key, which only a damaged region can have, one
    /// goes into it; the others are returned as a list, to be walked with <see cref="Next"/>.
    /// </summary>
    public RecordRef Build(ref ulong root)
    {
        var count = 0;
        ulong keys = 0;
        for (var at = root; at != 0; at = T.Left(ref At(at)), count++) keys |= T.Key(in At(at));
        _depth = 0;
        _lastKey = _twins = 0;
        var bits = Math.Min(BitOperations.Log2((uint)count | 1) - 2, BitOperations.Log2(MostBuckets));
        if (bits <= 0) Append(Sorted(root));
        else Spread(root, bits, Math.Max(0, BitOperations.Log2(keys | 1) + 1 - bits));
        root = _depth == 0 ? 0 : _edge[0].Record;
        return new RecordRef(_twins);
    }

    /// <summary>The next record of a list.</summary>
    public RecordRef Next(RecordRef record) => new(T.Left(ref At(record.Value)));

    private void Spread(ulong list, int bits, int shift)
    {
        for (var at = list; at != 0;)
        {
            ref var record = ref At(at);
            ref var bucket = ref _buckets[T.Key(in record) >> shift];
            (at, T.Left(ref record), bucket) = (T.Left(ref record), bucket, at);
        }
        var buckets = _buckets.AsSpan(0, 1 << bits);
        for (var bucket = 0; bucket < buckets.Length; bucket++)
        {
            if (bucket % Ahead == 0) LookAhead(buckets.Slice(bucket, Math.Min(Ahead, buckets.Length - bucket)));
            var first = buckets[bucket];
            buckets[bucket] = 0;
            Append(Sorted(first));
        }
    }

    /// <summary>
    /// Walks several buckets at once. Each step prefetches the next records of all of them and reads only those prefetched a step
    /// before.
    /// </summary>
    private void LookAhead(ReadOnlySpan<ulong> buckets)
    {
        if (!Sse.IsSupported) return;
        Span<ulong> at = stackalloc ulong[Ahead];
        buckets.CopyTo(at);
        for (var more = true; more;)
        {
            more = false;
            foreach (ref var record in at)
            {
                if (record == 0) continue;
                record = T.Left(ref At(record));
                if (record == 0) continue;
                store.Prefetch(new RecordRef(record));
                more = true;
            }
        }
    }

    /// <summary>Sorts a list by merging runs of 1, 2, 4... records, with no memory but a list for each length.</summary>
    private ulong Sorted(ulong list)
    {
        if (list == 0 || T.Left(ref At(list)) == 0) return list;
        var longest = 0;
        while (list != 0)
        {
            var run = list;
            ref var left = ref T.Left(ref At(run));
            (list, left) = (left, 0);
            var length = 0;
            for (; _runs[length] != 0; length++)
            {
                run = Merge(_runs[length], run);
                _runs[length] = 0;
            }
            _runs[length] = run;
            longest = Math.Max(longest, length);
        }
        ulong sorted = 0;
        for (var length = 0; length <= longest; length++)
        {
            sorted = Merge(_runs[length], sorted);
            _runs[length] = 0;
        }
        return sorted;
    }

    private ulong Merge(ulong one, ulong other)
    {
        if (one == 0) return other;
        if (other == 0) return one;
        ulong head = 0;
        ref var tail = ref head;
        var (oneKey, otherKey) = (T.Key(in At(one)), T.Key(in At(other)));
        while (true)
        {
            if (oneKey <= otherKey)
            {
                tail = one;
                tail = ref T.Left(ref At(one));
                one = tail;
                if (one == 0)
                {
                    tail = other;
                    return head;
                }
                oneKey = T.Key(in At(one));
            }
            else
            {
                tail = other;
                tail = ref T.Left(ref At(other));
                other = tail;
                if (other == 0)
                {
                    tail = one;
                    return head;
                }
                otherKey = T.Key(in At(other));
            }
        }
    }

    /// <summary>Appends a sorted list to the right of the tree.</summary>
    private void Append(ulong list)
    {
        while (list != 0)
        {
            ref var record = ref At(list);
            ref var left = ref T.Left(ref record);
            var next = left;
            var key = T.Key(in record);
            if (_depth > 0 && key == _lastKey)
            {
                left = _twins;
                _twins = list;
                list = next;
                continue;
            }
            var priority = Secret.Mix(key);
            ulong below = 0;
            while (_depth > 0 && _edge[_depth - 1].Priority < priority) below = _edge[--_depth].Record;
            left = below;
            T.Right(ref record) = 0;
            if (_depth > 0) T.Right(ref At(_edge[_depth - 1].Record)) = list;
            if (_depth == Deepest) throw new DamagedRecordException("a tree of records has no end");
            _edge[_depth++] = (list, priority);
            (_lastKey, list) = (key, next);
        }
    }

    private ref T At(ulong record) => ref store.Get<T>(new RecordRef(record));
}
