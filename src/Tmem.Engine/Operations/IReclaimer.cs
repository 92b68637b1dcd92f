using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>Makes room, for pages and what goes with them. Called with no latch held.</summary>
internal interface IReclaimer : IRoomMaker
{
    /// <summary>Evicts at least one ephemeral page of a pool. False if there is none left to evict.</summary>
    bool EvictOne(Pool pool);

    /// <summary>As <see cref="EvictOne"/>, of the pools one client owns.</summary>
    bool EvictOneOf(ClientState client);

    /// <summary>
    /// Evicts what makes room under the limit that refused: the pool's own pages, or its owner's. False if there is nothing to
    /// evict.
    /// </summary>
    bool MakeRoomWithin(Pool pool, TmemStatus limit) =>
        limit == TmemStatus.PoolLimit ? !pool.IsPersistent && EvictOne(pool) : EvictOneOf(pool.Owner);
}
