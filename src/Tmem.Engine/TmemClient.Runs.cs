using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>Runs of pages of one object, as many as the buffer holds, in one call.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// Puts pages <paramref name="first"/>, <paramref name="first"/> + 1 and so on, each as <see cref="Put"/> does, up to the
    /// first refused page.
    /// </summary>
    /// <param name="pool">A pool of the client's whose pages are not precompressed.</param>
    /// <param name="obj">The object.</param>
    /// <param name="first">The first page's index.</param>
    /// <param name="pages">Whole pages, one after the other.</param>
    /// <param name="stored">How many were stored; pages after the refused one are unchanged.</param>
    /// <returns>
    /// Ok, or why a page was refused. InvalidArgument, with nothing done, if the buffer is not a number of whole pages or reaches
    /// beyond the last index.
    /// </returns>
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
    /// Gets pages <paramref name="first"/>, <paramref name="first"/> + 1 and so on, each as
    /// <see cref="Get(PoolId, in ObjectId, uint, Span{byte})"/> does. The buffer's part of a missing or damaged page is filled
    /// with zeros.
    /// </summary>
    /// <param name="pool">A pool of the client's whose pages are not precompressed.</param>
    /// <param name="obj">The object.</param>
    /// <param name="first">The first page's index.</param>
    /// <param name="pages">Room for whole pages, one after the other.</param>
    /// <param name="outcomes">For each of them Ok, Miss or Corrupt.</param>
    /// <returns>
    /// Ok if all are there, else Corrupt if one is damaged, else Miss. InvalidArgument, with nothing done, as for
    /// <see cref="PutRange"/>, and if the number of outcomes is not that of pages.
    /// </returns>
    public TmemStatus GetRange(PoolId pool, in ObjectId obj, uint first, Span<byte> pages, Span<TmemStatus> outcomes)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolveRun(pool, obj, first, pages.Length, out var target);
        if (status != TmemStatus.Ok) return status;
        if (outcomes.Length != pages.Length / target.PageSize) return TmemStatus.InvalidArgument;
        return _engine.Operations.Runs.Get(target, obj, first, pages, outcomes);
    }

    /// <summary>As <see cref="Resolve(PoolId, in ObjectId, out Pool)"/>, for this many bytes of whole pages.</summary>
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
