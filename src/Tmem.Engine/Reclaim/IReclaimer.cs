using Tmem.Engine.Clients;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>Makes room. Called with no latch held.</summary>
internal interface IReclaimer
{
    /// <summary>
    /// Gives some memory back: of slots that stand empty between others, or of ephemeral pages, those of the client most over its
    /// share first. False if there is none to give.
    /// </summary>
    /// <param name="search">The caller's, the same for all tries of one operation.</param>
    bool MakeRoom(ref RoomSearch search);

    /// <summary>Evicts at least one ephemeral page of a pool. False if there is none left to evict.</summary>
    bool EvictOne(Pool pool);

    /// <summary>As <see cref="EvictOne"/>, of the pools one client owns.</summary>
    bool EvictOneOf(ClientState client);
}
