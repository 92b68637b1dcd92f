using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>Flushes, evictions, and the draining of a pool that ends.</summary>
internal sealed unsafe class PageRemoval<THost, TPam>(PageIndex<THost, TPam> index)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;
    private readonly ObjectOrder<THost> _order = index.Order;
    private readonly RadixTree<THost, TPam> _tree = index.Tree;

    /// <summary>Pages a range flush drops under one hold of the latch: those of a node.</summary>
    private const int FlushChunk = RadixNode.Fanout;

    public TmemStatus FlushPage(Pool pool, in ObjectId id, uint index)
    {
        var found = Take(pool, id, index);
        pool.Counters.Add(found ? Count.PageFlushesFound : Count.PageFlushesNotFound);
        return found ? TmemStatus.Ok : TmemStatus.Miss;
    }

    public TmemStatus FlushRange(Pool pool, in ObjectId id, uint first, uint last, out long flushed)
    {
        flushed = TakeRange(pool, id, first, last);
        pool.Counters.Add(flushed > 0 ? Count.ObjectFlushesFound : Count.ObjectFlushesNotFound);
        return flushed > 0 ? TmemStatus.Ok : TmemStatus.Miss;
    }

    /// <summary>Drains a pool that ends, bucket by bucket.</summary>
    public void Drain(Pool pool)
    {
        for (var number = 0; number < Pool.BucketCount; number++)
        {
            while (true)
            {
                ref var bucket = ref pool.BucketAt(number);
                SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
                var first = bucket.Root;
                var id = first == 0 ? default : _index.Object(first).Id;
                SpinLatch.Exit(ref bucket.Latch);
                if (first == 0) break;
                TakeRange(pool, id, 0, uint.MaxValue);
            }
        }
    }

    /// <summary>Evicts the page of a slot, if the leaf that the slot names still holds it, and tells its name.</summary>
    public bool Evict(Pool pool, int bucketNumber, ulong leaf, ulong place, Func<ulong, (ulong Object, uint Index)> locate,
        Count cause, out ulong name)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        ulong taken = 0;
        name = 0;
        var (obj, index) = locate(leaf);
        if (obj != 0 && _index.IsIn(obj, pool, bucketNumber) && _pam.IsAt(*(ulong*)_host.At(leaf), place))
        {
            name = PageName.Of(pool, _index.Object(obj).Id, index);
            taken = _index.RemoveLatched(pool, ref bucket, obj, index);
        }
        SpinLatch.Exit(ref bucket.Latch);
        if (taken == 0) return false;
        _index.Drop(pool, taken);
        CountEvicted(pool, cause, 1);
        return true;
    }

    /// <summary>Evicts same-filled pages of an object (they have no slot for the hand to find), at most a chunk.</summary>
    public bool EvictFills(Pool pool, int bucketNumber, in ObjectId id, uint first, uint last, Count cause)
    {
        var taken = 0;
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.Find(_order, bucket.Root, id);
        for (ulong next = first; obj != 0 && next <= last && _tree.Next(obj, (uint)next, out var index) && index <= last;)
        {
            next = (ulong)index + 1;
            var descriptor = *(ulong*)_host.At(_tree.FindLeaf(obj, index));
            if (!_pam.Cost(descriptor).SameFilled) continue;
            var isLast = _index.Object(obj).Pages == 1;
            _index.RemoveLatched(pool, ref bucket, obj, index);
            taken++;
            if (isLast) break;
        }
        SpinLatch.Exit(ref bucket.Latch);
        if (taken == 0) return false;
        PageAccount.Add(pool, new PageCost(0, 0, PageForm.SameFilled), -taken);
        CountEvicted(pool, cause, taken);
        return true;
    }

    private static void CountEvicted(Pool pool, Count cause, long pages)
    {
        pool.Counters.Add(Count.Evictions, pages);
        if (cause != Count.Evictions) pool.Counters.Add(cause, pages);
    }

    /// <summary>Removes a page. False if there was none.</summary>
    public bool Take(Pool pool, in ObjectId id, uint index)
    {
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.Find(_order, bucket.Root, id);
        var taken = obj == 0 ? 0 : _index.RemoveLatched(pool, ref bucket, obj, index);
        SpinLatch.Exit(ref bucket.Latch);
        if (taken == 0) return false;
        _index.Drop(pool, taken);
        return true;
    }

    private long TakeRange(Pool pool, in ObjectId id, uint first, uint last)
    {
        var taken = stackalloc ulong[FlushChunk];
        long flushed = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        ulong next = first;
        while (next <= last)
        {
            var count = 0;
            SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
            var obj = Treap.Find(_order, bucket.Root, id);
            var more = obj != 0;
            while (more && count < FlushChunk && next <= last)
            {
                more = _tree.Next(obj, (uint)next, out var index) && index <= last;
                if (!more) break;
                var leaf = _tree.FindLeaves(obj, index, out var row);
                row = (int)Math.Min((uint)Math.Min(row, FlushChunk - count), last - index + 1UL);
                next = (ulong)index + (ulong)row;
                var pages = _index.Object(obj).Pages;
                var found = _index.RemoveLatched(pool, ref bucket, obj, index, leaf, row, taken + count);
                count += found;
                more = found < pages;
            }
            SpinLatch.Exit(ref bucket.Latch);
            _index.Drop(pool, taken, count);
            flushed += count;
            if (!more) break;
        }
        if (flushed > 0) pool.Counters.Add(Count.PagesFlushed, flushed);
        return flushed;
    }
}
