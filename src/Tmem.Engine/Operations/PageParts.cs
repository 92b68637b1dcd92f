using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// READ and WRITE of the Xen tmem ABI: part of a page. A read is a get that copies only a part. A write unpacks the page, changes
/// it and stores it again, under no lock, and commits only if the leaf still holds the bytes it began with; otherwise another
/// write came first, and it starts over. So writes to two halves of a page never lose each other, and each failed round is
/// another's success.
/// <para>It compares the stored bytes and not the descriptor: a slot may have been freed and reused for the same leaf, or the
/// compactor may have moved the page. Equal bytes unpack to the page that was changed, wherever they came from. Under the latch
/// this costs as much as the copy of a get, beside 6 us of compressing outside, and needs no counter.</para>
/// </summary>
internal sealed unsafe class PageParts<THost, TPam>(
    PageIndex<THost, TPam> index, PageRemoval<THost, TPam> removal, PageOperations<THost, TPam> pages, IReclaimer reclaimer)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly PageRemoval<THost, TPam> _removal = removal;
    private readonly PageOperations<THost, TPam> _pages = pages;
    private readonly IReclaimer _reclaimer = reclaimer;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;

    public TmemStatus Read(Pool pool, in ObjectId id, uint index, int offset, Span<byte> part)
    {
        var page = Scratch.For(pool.PageSize).Page[..pool.PageSize];
        var status = _pages.Get(pool, id, index, page, out _);
        if (status == TmemStatus.Ok) page.Slice(offset, part.Length).CopyTo(part);
        return status;
    }

    /// <summary>
    /// Counts as a put. On refusal a persistent page stays as it was, and an ephemeral one is flushed, as by a failing put.
    /// </summary>
    public TmemStatus Write(Pool pool, ClientState writer, in ObjectId id, uint index, int offset, ReadOnlySpan<byte> part)
    {
        pool.Counters.Add(Count.Puts);
        var status = writer.IsFrozen ? TmemStatus.Frozen : Change(pool, writer, id, index, offset, part);
        PageAccount.CountOutcome(pool, status);
        var isRefused = status is TmemStatus.NoRoom or TmemStatus.Reserved or TmemStatus.PoolLimit or TmemStatus.ClientLimit
            or TmemStatus.Incompressible or TmemStatus.Frozen;
        if (isRefused && !pool.IsPersistent) _removal.Take(pool, id, index);
        return status;
    }

    private TmemStatus Change(Pool pool, ClientState writer, in ObjectId id, uint index, int offset, ReadOnlySpan<byte> part)
    {
        var scratch = Scratch.For(pool.PageSize);
        var page = scratch.Page[..pool.PageSize];
        TmemStatus status;
        bool superseded;
        do
        {
            var grabbed = _pages.Grab(pool, id, index, scratch.Stored, consume: false, markUsed: false, out _);
            if (grabbed.Kind == GrabKind.Nothing) return TmemStatus.Miss;
            status = _pam.Unpack(grabbed, scratch.Stored, page, out _);
            if (status != TmemStatus.Ok)
            {
                pool.CountCorrupt(id, index);
                return status;
            }
            part.CopyTo(page[offset..]);
            status = _pam.Create(page, PageOperations<THost, TPam>.OwnerOf(pool, id), _reclaimer, out var descriptor);
            if (status != TmemStatus.Ok) return status;
            status = Supersede(pool, writer, id, index, descriptor, grabbed, out superseded);
        }
        while (superseded);
        return status;
    }

    /// <summary>
    /// Replaces the grabbed page by a descriptor, or frees the descriptor: refused, or the page has changed since.
    /// </summary>
    private TmemStatus Supersede(
        Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor, in Grabbed grabbed, out bool superseded)
    {
        var cost = _pam.Cost(descriptor);
        ulong old;
        PageCost oldCost;
        TmemStatus status;
        while ((status = LinkOver(pool, writer, id, index, descriptor, cost, grabbed, out old, out oldCost))
            is TmemStatus.PoolLimit or TmemStatus.ClientLimit)
        {
            if (!_reclaimer.MakeRoomWithin(pool, status)) break;
        }
        superseded = status == TmemStatus.Miss;
        if (status == TmemStatus.Ok) _pages.Settle(pool, cost, old, oldCost);
        else _pam.Free(descriptor);
        return status;
    }

    /// <summary>Commits a descriptor over the grabbed page if that still stands in the leaf; Miss if it does not.</summary>
    private TmemStatus LinkOver(
        Pool pool, ClientState writer, in ObjectId id, uint index, ulong descriptor, in PageCost cost, in Grabbed grabbed,
            out ulong old, out PageCost oldCost)
    {
        var stored = Scratch.For(pool.PageSize).Stored;
        old = 0;
        oldCost = default;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        try
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            if (writer.IsFrozen) return TmemStatus.Frozen;
            var obj = _index.FindPage(bucket, id, index, out var leaf);
            if (obj == 0 || !_pam.Holds(*(ulong*)_host.At(leaf), leaf, grabbed, stored)) return TmemStatus.Miss;
            oldCost = _pam.Cost(*(ulong*)_host.At(leaf));
            if (pool.TryGrow(cost.SlotBytes - oldCost.SlotBytes) is var grown and not TmemStatus.Ok) return grown;
            old = _index.Commit(obj, leaf, descriptor);
            return TmemStatus.Ok;
        }
        finally
        {
            SpinLatch.Exit(ref bucket.Latch);
        }
    }
}
