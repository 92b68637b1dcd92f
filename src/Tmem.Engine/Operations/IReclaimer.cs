using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>Makes room for pages, index and records. Called with no latch held.</summary>
internal interface IReclaimer : IRoomMaker
{
    /// <summary>Evicts at least one ephemeral page of a pool. False if none is left.</summary>
    bool EvictOne(Pool pool);

    /// <summary>As <see cref="EvictOne"/>, of the pools one client owns.</summary>
    bool EvictOneOf(ClientState client);

    /// <summary>Prefetches the answer of <see cref="HasReturned"/>.</summary>
    void Expect(ulong name);

    /// <summary>
    /// Whether a page that is about to be put was evicted not long ago (<see cref="PageName"/>). Changes how many pages are on
    /// probation, so it is asked once.
    /// </summary>
    bool HasReturned(ulong name);

    /// <summary>
    /// Evicts pages to make room under the limit that refused: the pool's own, or its owner's. False if none is left.
    /// </summary>
    bool MakeRoomWithin(Pool pool, TmemStatus limit) =>
        limit == TmemStatus.PoolLimit ? !pool.IsPersistent && EvictOne(pool) : EvictOneOf(pool.Owner);
}
