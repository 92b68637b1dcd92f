using Tmem.Engine.Clients;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// XCHG of the Xen tmem ABI: two handles' pages change places. No byte of a page moves; two descriptors do, under the latches of
/// both buckets, so nobody sees the one without the other. Two leaves are two stores: <see cref="ExchangeIntent"/> makes them
/// one.
/// </summary>
internal sealed unsafe partial class PageOperations<THost, TPam>
{
    /// <summary>
    /// Nothing is done if either page is not there (Miss) or the client is frozen. The pools are of one kind and page size.
    /// </summary>
    public TmemStatus Exchange(ClientState writer, in PagePlace a, in PagePlace b)
    {
        TmemStatus status;
        while ((status = Swap(writer, a, b, out var full)) is TmemStatus.PoolLimit or TmemStatus.ClientLimit)
        {
            if (!MakeRoomWithin(full!, status)) break;
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
        SpinLatch.Enter(ref first.Latch);
        if (order != 0) SpinLatch.Enter(ref second.Latch);
        try
        {
            if (a.Pool.IsEnding || b.Pool.IsEnding) return TmemStatus.NoSuchPool;
            if (writer.IsFrozen) return TmemStatus.Frozen;
            if (FindPage(a.Pool, a.Id, a.Index, out var leafA) == 0 || FindPage(b.Pool, b.Id, b.Index, out var leafB) == 0)
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
        Account(a.Pool, costA, -1);
        Account(a.Pool, costB, 1);
        Account(b.Pool, costB, -1);
        Account(b.Pool, costA, 1);
        return TmemStatus.Ok;
    }

    /// <summary>A descriptor that is not its leaf's must not be bound to another one: the slot may be somebody else's.</summary>
    private bool IsSound(in PagePlace page, ulong descriptor, ulong leaf)
    {
        if (_pam.IsBound(descriptor, leaf)) return true;
        page.Pool.CountCorrupt(page.Id, page.Index);
        return false;
    }

    /// <summary>
    /// Moves real memory from one pool's account to another's. The one that grows goes first: the other cannot be refused. For
    /// one client's two pools its own limit is not asked, nor reserves for two pools without, because together they do not grow.
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

/// <summary>A handle whose pool has been found.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Id">The object.</param>
/// <param name="Index">The page's number within it.</param>
internal readonly record struct PagePlace(Pool Pool, ObjectId Id, uint Index)
{
    public int BucketNumber { get; } = Pool.BucketOf(Id);

    public ref Bucket Bucket => ref Pool.BucketAt(BucketNumber);

    /// <summary>
    /// Which bucket's latch is taken first; 0 if they are one bucket. By place in the pool table, then by bucket, as the verifier
    /// does. Two pools at one place are a dead one and its successor.
    /// </summary>
    public static int LatchOrder(in PagePlace a, in PagePlace b)
    {
        var order = a.Pool.Place.CompareTo(b.Pool.Place);
        if (order == 0) order = a.Pool.Id.Value.CompareTo(b.Pool.Id.Value);
        return order != 0 ? order : a.BucketNumber.CompareTo(b.BucketNumber);
    }
}
