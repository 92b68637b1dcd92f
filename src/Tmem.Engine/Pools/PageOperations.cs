using System.Runtime.CompilerServices;
using Tmem.Engine.Clients;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The operations on pages, over any host and any page store. The shape of each is the same: what costs (compressing, unpacking,
/// evicting) happens under no lock; the bucket's latch is held for finding the leaf and for one store or one copy of the stored
/// bytes.
/// </summary>
internal sealed unsafe partial class PageOperations<THost, TPam>
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly THost _host;
    private readonly TPam _pam;
    private readonly IReclaimer _reclaimer;
    private readonly ExchangeIntent _intent;
    private readonly ObjectOrder<THost> _order;
    private readonly RadixTree<THost, TPam> _tree;

    public PageOperations(THost host, TPam pam, IReclaimer reclaimer, ExchangeIntent intent)
    {
        _host = host;
        _pam = pam;
        _reclaimer = reclaimer;
        _intent = intent;
        _order = new ObjectOrder<THost>(host);
        _tree = new RadixTree<THost, TPam>(host, pam);
    }

    /// <summary>Put and replace. They differ in what a failure leaves: put flushes the old page too, replace keeps it.</summary>
    public TmemStatus Put(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page, bool keepOld)
    {
        pool.Counters.Add(Count.Puts);
        var status = writer.IsFrozen ? TmemStatus.Frozen : Store(pool, writer, id, index, page);
        CountOutcome(pool, status);
        if (status != TmemStatus.Ok && !keepOld) Take(pool, id, index);
        return status;
    }

    private TmemStatus Store(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page)
    {
        var status = _pam.Create(page, OwnerOf(pool, id), out var descriptor);
        return status == TmemStatus.Ok ? Keep(pool, writer, id, index, descriptor) : status;
    }

    /// <summary>Puts a created page under its handle, making room if it can be made; on refusal the page is freed.</summary>
    private TmemStatus Keep(Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor)
    {
        var cost = _pam.Cost(descriptor);
        ulong old;
        PageCost oldCost;
        TmemStatus status;
        var search = new RoomSearch();
        while ((status = Link(pool, writer, id, index, descriptor, cost, out old, out oldCost)) != TmemStatus.Ok)
        {
            var retry = status switch
            {
                TmemStatus.NoRoom => _reclaimer.MakeRoom(ref search),
                TmemStatus.PoolLimit or TmemStatus.ClientLimit => MakeRoomWithin(pool, status),
                _ => false,
            };
            if (retry) continue;
            _pam.Free(descriptor);
            return status;
        }
        Settle(pool, cost, old, oldCost);
        return TmemStatus.Ok;
    }

    /// <summary>
    /// Evicts what makes room under the limit that refused: the pool's own pages, or its owner's. False if there is nothing to
    /// evict.
    /// </summary>
    private bool MakeRoomWithin(Pool pool, TmemStatus limit) =>
        limit == TmemStatus.PoolLimit ? !pool.IsPersistent && _reclaimer.EvictOne(pool) : _reclaimer.EvictOneOf(pool.Owner);

    /// <summary>What follows a commit: counts the new page, and frees what stood in its leaf before (0: nothing).</summary>
    private void Settle(Pool pool, in PageCost cost, ulong old, in PageCost oldCost)
    {
        if (old == 0)
        {
            Account(pool, cost, 1);
            return;
        }
        AccountReplaced(pool, cost, oldCost);
        _pam.Free(old);
    }

    /// <summary>Makes the way to the leaf and commits the descriptor there; on refusal nothing half-built stays.</summary>
    private TmemStatus Link(
        Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor, in PageCost cost, out ulong old,
            out PageCost oldCost)
    {
        old = 0;
        oldCost = default;
        var bucketNumber = Pool.BucketOf(id);
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch);
        try
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            // Asked again under the latch: whoever froze the client waits for this latch, and then nothing more is stored.
            if (writer.IsFrozen) return TmemStatus.Frozen;
            var obj = Treap.Find(_order, bucket.Root, id);
            var isNew = obj == 0;
            if (isNew && (obj = NewObject(pool, bucketNumber, id)) == 0) return TmemStatus.NoRoom;
            var leaf = _tree.MakeLeaf(obj, index, out var nodes);
            if (leaf == 0)
            {
                if (isNew) _host.FreeObject(obj);
                return TmemStatus.NoRoom;
            }
            old = *(ulong*)_host.At(leaf);
            if (old != 0) oldCost = _pam.Cost(old);
            var growth = cost.SlotBytes - oldCost.SlotBytes + nodes * RadixNode.Bytes + (isNew ? ObjectRecord.Bytes : 0);
            if (pool.TryGrow(growth) is var grown and not TmemStatus.Ok)
            {
                _tree.Undo(obj, index);
                if (isNew) _host.FreeObject(obj);
                return grown;
            }
            _pam.Bind(descriptor, leaf);
            if (isNew)
            {
                // The object exists from here on, and may be found empty after a crash; attaching drops such ones.
                Volatile.Write(ref Object(obj).Header, ObjectRecord.MakeHeader(pool.Id, bucketNumber));
                Treap.Insert(_order, ref bucket.Root, obj, id);
            }
            _tree.Commit(obj, leaf, descriptor);
            pool.CountIndex(nodes, isNew ? 1 : 0);
            return TmemStatus.Ok;
        }
        finally
        {
            SpinLatch.Exit(ref bucket.Latch);
        }
    }

    /// <summary>A get into room for a page; the length is less than that for a precompressed page.</summary>
    public TmemStatus Get(Pool pool, in ObjectId id, uint index, Span<byte> page, out int length)
    {
        var counters = pool.Counters;
        counters.Add(Count.Gets);
        var scratch = Scratch.For(pool.PageSize);
        var consumed = Grab(pool, id, index, scratch, pool.GetConsumes, markUsed: !pool.IsPersistent, out var found);
        length = 0;
        if (!found)
        {
            counters.Add(Count.Misses);
            return TmemStatus.Miss;
        }
        if (consumed != 0) Drop(pool, consumed);
        var status = _pam.Unpack(scratch, page, out length);
        if (status == TmemStatus.Ok) counters.Add(Count.Hits);
        else pool.CountCorrupt(id, index);
        return status;
    }

    /// <summary>A get that leaves no trace: keeps the page, counts nothing. For the verifier.</summary>
    public TmemStatus Peek(Pool pool, in ObjectId id, uint index, Span<byte> page, out int length)
    {
        var scratch = Scratch.For(pool.PageSize);
        Grab(pool, id, index, scratch, consume: false, markUsed: false, out var found);
        length = 0;
        return found ? _pam.Unpack(scratch, page, out length) : TmemStatus.Miss;
    }

    /// <summary>Copies what is stored into the scratch. Returns the descriptor if it was taken out of the index.</summary>
    private ulong Grab(Pool pool, in ObjectId id, uint index, Scratch scratch, bool consume, bool markUsed, out bool found)
    {
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch);
        try
        {
            found = false;
            var obj = Treap.Find(_order, bucket.Root, id);
            if (obj == 0) return 0;
            var leaf = _tree.FindLeaf(obj, index);
            if (leaf == 0) return 0;
            var descriptor = *(ulong*)_host.At(leaf);
            if (descriptor == 0) return 0;
            found = true;
            _pam.Grab(descriptor, leaf, scratch, markUsed);
            return consume ? RemoveLatched(pool, ref bucket, obj, index) : 0;
        }
        finally
        {
            SpinLatch.Exit(ref bucket.Latch);
        }
    }

    public TmemStatus NextPage(Pool pool, in ObjectId id, uint from, out uint found)
    {
        found = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch);
        var obj = Treap.Find(_order, bucket.Root, id);
        var any = obj != 0 && _tree.Next(obj, from, out found);
        SpinLatch.Exit(ref bucket.Latch);
        return any ? TmemStatus.Ok : TmemStatus.Miss;
    }

    /// <summary>Nodes that a search for a gap looks at under one hold of the latch.</summary>
    private const int NodesALook = 128;

    public TmemStatus NextHole(Pool pool, in ObjectId id, uint from, int nodes, out ulong found)
    {
        found = from;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        for (; nodes > 0; nodes -= NodesALook)
        {
            SpinLatch.Enter(ref bucket.Latch);
            var obj = Treap.Find(_order, bucket.Root, id);
            var any = obj == 0 || _tree.NextHole(obj, found, Math.Min(nodes, NodesALook), out found);
            SpinLatch.Exit(ref bucket.Latch);
            if (any) return TmemStatus.Ok;
        }
        return TmemStatus.Miss;
    }

    public long CountPages(Pool pool, in ObjectId id)
    {
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch);
        var obj = Treap.Find(_order, bucket.Root, id);
        var pages = obj == 0 ? 0 : Object(obj).Pages;
        SpinLatch.Exit(ref bucket.Latch);
        return pages;
    }

    private ulong NewObject(Pool pool, int bucket, in ObjectId id)
    {
        var obj = _host.AllocateObject();
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

    private static PageOwner OwnerOf(Pool pool, in ObjectId id) => new(
        pool.Place, Pool.BucketOf(id), pool.IsPersistent, pool.Options.RefuseIncompressible, pool.Codec, pool.IsPrecompressed);

    private static void CountOutcome(Pool pool, TmemStatus status)
    {
        var counters = pool.Counters;
        switch (status)
        {
            case TmemStatus.Ok: counters.Add(Count.Stored); break;
            case TmemStatus.NoRoom: counters.Add(Count.NoRoom); break;
            case TmemStatus.Reserved: counters.Add(Count.Reserved); break;
            case TmemStatus.PoolLimit: counters.Add(Count.PoolLimit); break;
            case TmemStatus.ClientLimit: counters.Add(Count.ClientLimit); break;
            case TmemStatus.Frozen: counters.Add(Count.Frozen); break;
            case TmemStatus.Incompressible: counters.Add(Count.Incompressible); break;
        }
    }

    private static void Account(Pool pool, in PageCost cost, int pages)
    {
        var counters = pool.Counters;
        counters.Add(Count.Pages, pages);
        if (cost.SameFilled)
        {
            counters.Add(Count.SameFilled, pages);
            return;
        }
        counters.Add(Count.CompressedBytes, pages * cost.CompressedBytes);
        counters.Add(Count.SlotBytes, pages * cost.SlotBytes);
        if (cost.Raw) counters.Add(Count.Raw, pages);
    }

    /// <summary>
    /// As the one page added and the other taken, with an interlocked add only for what differs: half the adds of an overwrite.
    /// </summary>
    private static void AccountReplaced(Pool pool, in PageCost cost, in PageCost old)
    {
        var counters = pool.Counters;
        counters.Add(Count.Replaced);
        if (cost.CompressedBytes != old.CompressedBytes)
            counters.Add(Count.CompressedBytes, cost.CompressedBytes - old.CompressedBytes);
        if (cost.SlotBytes != old.SlotBytes) counters.Add(Count.SlotBytes, cost.SlotBytes - old.SlotBytes);
        if (cost.SameFilled != old.SameFilled) counters.Add(Count.SameFilled, cost.SameFilled ? 1 : -1);
        if (cost.Raw != old.Raw) counters.Add(Count.Raw, cost.Raw ? 1 : -1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ObjectRecord Object(ulong place) => ref *(ObjectRecord*)_host.At(place);
}
