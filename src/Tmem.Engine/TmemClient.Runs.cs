using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>Runs of pages of one object, as many as the buffer holds, in one call.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// Puts pages <paramref name="first"/>, <paramref name="first"/> + 1 and so on, each as <see cref="Put"/> does, up to the
    /// first that is refused.
    /// </summary>
    /// <param name="pool">A pool of the client's whose pages are not precompressed.</param>
    /// <param name="obj">The object.</param>
    /// <param name="first">The first page's index.</param>
    /// <param name="pages">Whole pages, one after the other.</param>
    /// <param name="stored">How many are stored: those after the refused one are as they were.</param>
    /// <returns>Ok, or why one was refused. InvalidArgument, with nothing done, for a buffer of no whole pages and for one that
    /// reaches beyond the last index.</returns>
    public TmemStatus PutRange(PoolId pool, in ObjectId obj, uint first, ReadOnlySpan<byte> pages, out int stored)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolveRun(pool, obj, first, pages.Length, out var target);
        for (stored = 0; status == TmemStatus.Ok && pages.Length > 0; pages = pages[target.PageSize..])
        {
            status = _engine.Operations.Pages.Put(target, _state, obj, first + (uint)stored, pages[..target.PageSize],
                keepOld: false);
            if (status == TmemStatus.Ok) stored++;
        }
        return status;
    }

    /// <summary>
    /// Gets pages <paramref name="first"/>, <paramref name="first"/> + 1 and so on, each as <see cref="Get(PoolId, in ObjectId,
    /// uint, Span{byte})"/> does. Of one that is not there or is damaged the buffer's part is zeros.
    /// </summary>
    /// <param name="pool">A pool of the client's whose pages are not precompressed.</param>
    /// <param name="obj">The object.</param>
    /// <param name="first">The first page's index.</param>
    /// <param name="pages">Room for whole pages, one after the other.</param>
    /// <param name="outcomes">For each of them Ok, Miss or Corrupt.</param>
    /// <returns>Ok if all are there, else Corrupt if one is damaged, else Miss. InvalidArgument, with nothing done, as for
    /// <see cref="PutRange"/>, and for another number of outcomes than of pages.</returns>
    public TmemStatus GetRange(PoolId pool, in ObjectId obj, uint first, Span<byte> pages, Span<TmemStatus> outcomes)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolveRun(pool, obj, first, pages.Length, out var target);
        if (status != TmemStatus.Ok) return status;
        if (outcomes.Length != pages.Length / target.PageSize) return TmemStatus.InvalidArgument;
        return _engine.Operations.Runs.Get(target, obj, first, pages, outcomes);
    }

    /// <summary>As <see cref="Resolve(PoolId, in ObjectId, out Pool)"/>, for so many bytes of whole pages.</summary>
    private TmemStatus ResolveRun(PoolId id, in ObjectId obj, uint first, int length, out Pool pool)
    {
        var status = Resolve(id, obj, out pool);
        if (status != TmemStatus.Ok) return status;
        if (pool.IsPrecompressed) return TmemStatus.Precompressed;
        var count = length / pool.PageSize;
        return count * pool.PageSize == length && count > 0 && first <= uint.MaxValue - (uint)(count - 1) ? TmemStatus.Ok
            : TmemStatus.InvalidArgument;
    }
}
