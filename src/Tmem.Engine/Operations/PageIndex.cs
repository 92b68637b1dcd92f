using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// The index of pages over any host and any page store, and the common parts of all its operations. Each operation has the same
/// shape: the costly work (compressing, unpacking, evicting) happens under no lock; the bucket's latch is held to find the leaf
/// and for one store or one copy of the stored bytes.
/// </summary>
internal sealed unsafe class PageIndex<THost, TPam>(THost host, TPam pam)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    public readonly THost Host = host;
    public readonly TPam Pam = pam;
    public readonly ObjectOrder<THost> Order = new(host);
    public readonly RadixTree<THost, TPam> Tree = new(host, pam);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ObjectRecord Object(ulong place) => ref *(ObjectRecord*)Host.At(place);

    /// <summary>The object and the leaf of a stored page; 0 if there is none. Under the bucket's latch.</summary>
    public ulong FindPage(in Bucket bucket, in ObjectId id, uint index, out ulong leaf)
    {
        LatchOrder.AssertHeld(LatchRank.Bucket);
        leaf = 0;
        var obj = Treap.Find(Order, bucket.Root, id);
        if (obj != 0) leaf = Tree.FindLeaf(obj, index);
        return leaf != 0 && *(ulong*)Host.At(leaf) != 0 ? obj : 0;
    }

    /// <summary>An object without pages, in no tree and not committed; 0 if there is no room.</summary>
    public ulong NewObject(in ObjectId id)
    {
        var obj = Host.AllocateObject();
        if (obj == 0) return 0;
        ref var record = ref Object(obj);
        // The header stays "taken, not committed" until the first page is about to be linked.
        record.Id0 = id.Word0;
        record.Id1 = id.Word1;
        record.Id2 = id.Word2;
        record.Root = record.Page0 = record.Left = record.Right = record.Supersedes = 0;
        record.Pages = 0;
        return obj;
    }

    /// <summary>
    /// Commits a page to a leaf; from here on its slot, if it has one, is the leaf's. Returns the descriptor it replaces (0:
    /// none). Under the bucket's latch.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Commit(ulong obj, ulong leaf, ulong descriptor)
    {
        LatchOrder.AssertHeld(LatchRank.Bucket);
        Pam.Bind(descriptor, leaf);
        Debug.Assert(Pam.IsBound(descriptor, leaf), "what is committed is a page of its leaf");
        return Tree.Commit(obj, leaf, descriptor);
    }

    /// <summary>Removes a page from the index and returns its descriptor; 0 if there is none. Under the bucket's latch.</summary>
    public ulong RemoveLatched(Pool pool, ref Bucket bucket, ulong obj, uint index)
    {
        ulong taken = 0;
        var leaf = Tree.FindLeaf(obj, index);
        if (leaf != 0) RemoveLatched(pool, ref bucket, obj, index, leaf, 1, &taken);
        return taken;
    }

    /// <summary>
    /// Removes the pages of consecutive leaves (<see cref="RadixTree{THost, TBinder}.FindLeaves"/>) from the index, and the
    /// object with its last page. Returns how many there were. Under the bucket's latch.
    /// </summary>
    public int RemoveLatched(Pool pool, ref Bucket bucket, ulong obj, uint index, ulong leaf, int count, ulong* taken)
    {
        LatchOrder.AssertHeld(LatchRank.Bucket);
        var found = Tree.Remove(obj, index, leaf, count, taken, out var nodes);
        if (found == 0) return 0;
        var gone = Object(obj).Pages == 0;
        if (gone)
        {
            Treap.Remove(Order, ref bucket.Root, Object(obj).Id);
            Host.FreeObject(obj);
        }
        pool.TryGrow(-(nodes * RadixNode.Bytes + (gone ? ObjectRecord.Bytes : 0)));
        pool.CountIndex(-nodes, gone ? -1 : 0);
        return found;
    }

    /// <summary>Whether a place holds a committed object of this bucket. Under its latch.</summary>
    public bool IsIn(ulong obj, Pool pool, int bucket) => Object(obj).Header == ObjectRecord.MakeHeader(pool.Id, bucket);

    /// <summary>Frees a page that no leaf holds any more, and removes it from its pool's account.</summary>
    public void Drop(Pool pool, ulong descriptor) => Drop(pool, &descriptor, 1);

    /// <summary>As <see cref="Drop(Pool, ulong)"/>, for several pages.</summary>
    public void Drop(Pool pool, ulong* descriptors, int count)
    {
        var costs = default(PageCosts);
        for (var i = 0; i < count; i++) costs.Add(Pam.Cost(descriptors[i]), -1);
        PageAccount.Add(pool, costs);
        pool.TryGrow(costs.SlotBytes);
        for (var i = 0; i < count; i++) Pam.Free(descriptors[i]);
    }
}
