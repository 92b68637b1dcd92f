using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>Put, replace and get: whole pages in and out.</summary>
internal sealed unsafe class PageOperations<THost, TPam>(
    PageIndex<THost, TPam> index, PageRemoval<THost, TPam> removal, IReclaimer reclaimer)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly PageRemoval<THost, TPam> _removal = removal;
    private readonly IReclaimer _reclaimer = reclaimer;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;
    private readonly ObjectOrder<THost> _order = index.Order;
    private readonly RadixTree<THost, TPam> _tree = index.Tree;

    /// <summary>Put and replace. They differ on failure: put flushes the old page too, replace keeps it.</summary>
    public TmemStatus Put(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page, bool keepOld)
    {
        pool.Counters.Add(Count.Puts);
        var status = writer.IsFrozen ? TmemStatus.Frozen : Store(pool, writer, id, index, page);
        PageAccount.CountOutcome(pool, status);
        if (status != TmemStatus.Ok && !keepOld) _removal.Take(pool, id, index);
        return status;
    }

    public TmemStatus Store(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page)
    {
        // Compressing takes longer than a read of cold memory.
        var name = pool.IsPersistent ? 0 : PageName.Of(pool, id, index);
        if (!pool.IsPersistent) _reclaimer.Expect(name);
        var status = _pam.Create(page, OwnerOf(pool, id), _reclaimer, out var descriptor);
        if (status != TmemStatus.Ok) return status;
        if (!pool.IsPersistent && _reclaimer.HasReturned(name)) _pam.MarkReturned(descriptor);
        return Keep(pool, writer, id, index, descriptor);
    }

    /// <summary>Puts a created page under its handle, making room if possible; frees the page on refusal.</summary>
    public TmemStatus Keep(Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor)
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
                TmemStatus.PoolLimit or TmemStatus.ClientLimit => _reclaimer.MakeRoomWithin(pool, status),
                _ => false,
            };
            if (retry) continue;
            _pam.Free(descriptor);
            return status;
        }
        Settle(pool, cost, old, oldCost);
        return TmemStatus.Ok;
    }

    /// <summary>After a commit: counts the new page, and frees the leaf's former one (0: none).</summary>
    public void Settle(Pool pool, in PageCost cost, ulong old, in PageCost oldCost)
    {
        if (old == 0)
        {
            PageAccount.Add(pool, cost, 1);
            return;
        }
        PageAccount.Replace(pool, cost, oldCost);
        _pam.Free(old);
    }

    /// <summary>Makes the path to the leaf and commits the descriptor there; on refusal undoes what it has built.</summary>
    private TmemStatus Link(
        Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor, in PageCost cost, out ulong old,
            out PageCost oldCost)
    {
        old = 0;
        oldCost = default;
        var bucketNumber = Pool.BucketOf(id);
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        try
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            // Checked again under the latch: a freeze waits for this latch, and after it nothing more is stored.
            if (writer.IsFrozen) return TmemStatus.Frozen;
            var obj = Treap.Find(_order, bucket.Root, id);
            var isNew = obj == 0;
            if (isNew && (obj = _index.NewObject(id)) == 0) return TmemStatus.NoRoom;
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
            if (isNew)
            {
                // The object exists from here on; after a crash it may be found empty, and the attach drops it.
                Volatile.Write(ref _index.Object(obj).Header, ObjectRecord.MakeHeader(pool.Id, bucketNumber));
                Treap.Insert(_order, ref bucket.Root, obj, id);
            }
            _index.Commit(obj, leaf, descriptor);
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
        var room = Scratch.For(pool.PageSize).Stored;
        var grabbed = Grab(pool, id, index, room, pool.GetConsumes, markUsed: pool.CountsUses, out var consumed);
        length = 0;
        if (grabbed.Kind == GrabKind.Nothing)
        {
            counters.Add(Count.GetMisses);
            return TmemStatus.Miss;
        }
        if (consumed != 0) _index.Drop(pool, consumed);
        var status = _pam.Unpack(grabbed, room, page, out length);
        if (status == TmemStatus.Ok) counters.Add(Count.GetHits);
        else pool.CountCorrupt(id, index);
        return status;
    }

    /// <summary>A get without side effects: keeps the page, counts nothing. For the verifier.</summary>
    public TmemStatus Peek(Pool pool, in ObjectId id, uint index, Span<byte> page, out int length)
    {
        var room = Scratch.For(pool.PageSize).Stored;
        var grabbed = Grab(pool, id, index, room, consume: false, markUsed: false, out _);
        length = 0;
        return grabbed.Kind == GrabKind.Nothing ? TmemStatus.Miss : _pam.Unpack(grabbed, room, page, out length);
    }

    /// <summary>Copies a stored page.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="id">The object.</param>
    /// <param name="index">The page.</param>
    /// <param name="room">The destination.</param>
    /// <param name="consume">Whether to remove it from the index.</param>
    /// <param name="markUsed">Whether to count a use.</param>
    /// <param name="consumed">Its descriptor if it was removed; else 0.</param>
    public Grabbed Grab(
        Pool pool, in ObjectId id, uint index, Span<byte> room, bool consume, bool markUsed, out ulong consumed)
    {
        consumed = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        try
        {
            var obj = _index.FindPage(bucket, id, index, out var leaf);
            if (obj == 0) return default;
            var grabbed = _pam.Grab(*(ulong*)_host.At(leaf), leaf, room, markUsed);
            if (consume) consumed = _index.RemoveLatched(pool, ref bucket, obj, index);
            return grabbed;
        }
        finally
        {
            SpinLatch.Exit(ref bucket.Latch);
        }
    }

    public static PageOwner OwnerOf(Pool pool, in ObjectId id) => new(
        pool.Place, Pool.BucketOf(id), pool.IsPersistent, pool.RefusesIncompressible, pool.Codec, pool.IsPrecompressed);
}
