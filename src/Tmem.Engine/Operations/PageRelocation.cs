using System.Runtime.CompilerServices;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// Moves stored data without changing it, for the compactor. Each operation copies to the new place first and then switches to it
/// with one store: if the process dies in between, the old place stays in force and the next attach frees the copy.
/// </summary>
internal sealed unsafe class PageRelocation<THost, TPam>(PageIndex<THost, TPam> index)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;
    private readonly ObjectOrder<THost> _order = index.Order;
    private readonly RadixTree<THost, TPam> _tree = index.Tree;

    private const int MostPagesMoved = 1024;

    /// <summary>
    /// Moves a stored page from one slot to another of the same size, if the leaf that its slot names still holds it. Frees the
    /// slot that is then unused. False if the page was gone.
    /// </summary>
    public bool Relocate(Pool pool, int bucketNumber, ulong leaf, ulong from, ulong to, Func<ulong,
        (ulong Object, uint Index)> locate)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var (obj, _) = locate(leaf);
        ref var word = ref *(ulong*)_host.At(leaf);
        var moves = obj != 0 && _index.IsIn(obj, pool, bucketNumber) && _pam.IsAt(word, from);
        if (moves) Volatile.Write(ref word, _pam.Move(word, to, leaf));
        SpinLatch.Exit(ref bucket.Latch);
        _pam.Release(moves ? from : to);
        return moves;
    }

    /// <summary>
    /// Moves a node of an object's page tree, and frees the place that is then unused. False if the node was gone.
    /// </summary>
    public bool RelocateNode(Pool pool, int bucketNumber, ulong obj, ulong from, ulong to)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var moves = _index.IsIn(obj, pool, bucketNumber) && _tree.MoveNode(obj, from, to);
        _host.FreeNode(moves ? from : to);
        SpinLatch.Exit(ref bucket.Latch);
        return moves;
    }

    /// <summary>
    /// Moves an object, and frees the place that is then unused. False if the object was gone, or has so many pages that updating
    /// its nodes would hold the latch too long. For a moment two records of one object are committed; the new one names the old
    /// one, so that an attach knows which to keep.
    /// </summary>
    public bool RelocateObject(Pool pool, int bucketNumber, ulong from, ulong to)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var id = _index.Object(from).Id;
        var moves = _index.IsIn(from, pool, bucketNumber) && Treap.Find(_order, bucket.Root, id) == from
            && _index.Object(from).Pages <= MostPagesMoved;
        if (moves)
        {
            ref var record = ref _index.Object(to);
            var committed = _index.Object(from).Header;
            Unsafe.CopyBlock(_host.At(to) + sizeof(ulong), _host.At(from) + sizeof(ulong), ObjectRecord.Bytes - sizeof(ulong));
            record.Supersedes = from;
            Volatile.Write(ref record.Header, committed);
            _tree.Reown(to);
            Treap.Replace(_order, ref bucket.Root, from, to, id);
            Volatile.Write(ref _index.Object(from).Header, SlotState.InFlight);
            Volatile.Write(ref record.Supersedes, 0);
        }
        _host.FreeObject(moves ? from : to);
        SpinLatch.Exit(ref bucket.Latch);
        return moves;
    }
}
