using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// XCHG of the Xen tmem ABI: two handles' pages change places. No byte of a page moves; two descriptors do, under the latches of
/// both buckets, so that the exchange is seen whole or not at all. Two leaves are two stores: <see cref="ExchangeIntent"/> makes
/// them atomic.
/// </summary>
internal sealed unsafe class PageExchange<THost, TPam>(PageIndex<THost, TPam> index, IReclaimer reclaimer, ExchangeIntent intent)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly PageIndex<THost, TPam> _index = index;
    private readonly IReclaimer _reclaimer = reclaimer;
    private readonly ExchangeIntent _intent = intent;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;

    /// <summary>
    /// Does nothing if either page is missing (Miss) or the client is frozen. The pools have one kind and page size.
    /// </summary>
    public TmemStatus Exchange(ClientState writer, in PagePlace a, in PagePlace b)
    {
        TmemStatus status;
        while ((status = Swap(writer, a, b, out var full)) is TmemStatus.PoolLimit or TmemStatus.ClientLimit)
        {
            if (!_reclaimer.MakeRoomWithin(full!, status)) break;
        }
        return status;
    }

    private TmemStatus Swap(ClientState writer, in PagePlace a, in PagePlace b, out Pool? full)
    {
        full = null;
        PageCost costA, costB;
        var order = PagePlace.LatchOrder(a, b);
        ref var first = ref (order <= 0 ? a : b).Bucket;
        ref var second = ref (order <= 0 ? b : a).Bucket;
        SpinLatch.Enter(ref first.Latch, LatchRank.Bucket);
        if (order != 0) SpinLatch.Enter(ref second.Latch, LatchRank.Bucket);
        try
        {
            if (a.Pool.IsEnding || b.Pool.IsEnding) return TmemStatus.NoSuchPool;
            if (writer.IsFrozen) return TmemStatus.Frozen;
            if (_index.FindPage(a.Bucket, a.Id, a.Index, out var leafA) == 0
                || _index.FindPage(b.Bucket, b.Id, b.Index, out var leafB) == 0)
                return TmemStatus.Miss;
            if (leafA == leafB) return TmemStatus.Ok;
            var pageA = *(ulong*)_host.At(leafA);
            var pageB = *(ulong*)_host.At(leafB);
            if (!IsSound(a, pageA, leafA) || !IsSound(b, pageB, leafB)) return TmemStatus.Corrupt;
            costA = _pam.Cost(pageA);
            costB = _pam.Cost(pageB);
            if (TryShift(a.Pool, b.Pool, costB.SlotBytes - costA.SlotBytes, out full) is var shifted and not TmemStatus.Ok)
                return shifted;
            _pam.Rebind(pageA, leafB, b.Pool.Place, b.BucketNumber);
            _pam.Rebind(pageB, leafA, a.Pool.Place, a.BucketNumber);
            _intent.Swap(leafA, leafB);
        }
        finally
        {
            if (order != 0) SpinLatch.Exit(ref second.Latch);
            SpinLatch.Exit(ref first.Latch);
        }
        if (a.Pool == b.Pool) return TmemStatus.Ok;
        PageAccount.Add(a.Pool, costA, -1);
        PageAccount.Add(a.Pool, costB, 1);
        PageAccount.Add(b.Pool, costB, -1);
        PageAccount.Add(b.Pool, costA, 1);
        return TmemStatus.Ok;
    }

    /// <summary>A descriptor that is not its leaf's must not be bound to another leaf: the slot may be another page's.</summary>
    private bool IsSound(in PagePlace page, ulong descriptor, ulong leaf)
    {
        if (_pam.IsBound(descriptor, leaf)) return true;
        page.Pool.CountCorrupt(page.Id, page.Index);
        return false;
    }

    /// <summary>
    /// Moves real memory from one pool's account to another's. The pool that grows goes first: the other cannot be refused. Two
    /// pools of one client skip its limit, and two pools without reserves skip those, because together they do not grow.
    /// </summary>
    private static TmemStatus TryShift(Pool a, Pool b, int growthOfA, out Pool? full)
    {
        full = null;
        if (a == b) return TmemStatus.Ok;
        var (grows, shrinks) = growthOfA > 0 ? (a, b) : (b, a);
        var status = grows.TryGrow(Math.Abs(growthOfA), asksClient: a.Owner != b.Owner, asksReserves: a.ReserveBytes != 0
            || b.ReserveBytes != 0);
        if (status != TmemStatus.Ok) full = grows;
        else shrinks.TryGrow(-Math.Abs(growthOfA));
        return status;
    }
}
