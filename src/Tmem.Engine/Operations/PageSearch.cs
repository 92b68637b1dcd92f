using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>Searches for pages, holes and objects, without reading any page.</summary>
internal sealed unsafe class PageSearch<THost, TPam>(PageIndex<THost, TPam> index)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly ObjectOrder<THost> _order = index.Order;
    private readonly RadixTree<THost, TPam> _tree = index.Tree;

    /// <summary>The first page at or above an index.</summary>
    public TmemStatus NextPage(Pool pool, in ObjectId id, uint from, out uint found)
    {
        found = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.Find(_order, bucket.Root, id);
        var any = obj != 0 && _tree.Next(obj, from, out found);
        SpinLatch.Exit(ref bucket.Latch);
        return any ? TmemStatus.Ok : TmemStatus.Miss;
    }

    /// <summary>Nodes that a search for a hole visits under one hold of the latch.</summary>
    private const int NodesALook = 128;

    /// <summary>The first index at or above one that has no page, if it is found within this many nodes.</summary>
    public TmemStatus NextHole(Pool pool, in ObjectId id, uint from, int nodes, out ulong found)
    {
        found = from;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        for (; nodes > 0; nodes -= NodesALook)
        {
            SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
            var obj = Treap.Find(_order, bucket.Root, id);
            var any = obj == 0 || _tree.NextHole(obj, found, Math.Min(nodes, NodesALook), out found);
            SpinLatch.Exit(ref bucket.Latch);
            if (any) return TmemStatus.Ok;
        }
        return TmemStatus.Miss;
    }

    /// <summary>The number of an object's pages.</summary>
    public long CountPages(Pool pool, in ObjectId id)
    {
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.Find(_order, bucket.Root, id);
        var pages = obj == 0 ? 0 : _index.Object(obj).Pages;
        SpinLatch.Exit(ref bucket.Latch);
        return pages;
    }

    /// <summary>The first object of a bucket at or above an id.</summary>
    public bool NextObject(Pool pool, int bucketNumber, in ObjectId from, out ObjectId found)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.AtOrAbove(_order, bucket.Root, from);
        found = obj == 0 ? default : _index.Object(obj).Id;
        SpinLatch.Exit(ref bucket.Latch);
        return obj != 0;
    }
}
