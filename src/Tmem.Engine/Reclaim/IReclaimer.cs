using Tmem.Engine.Clients;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>Makes room. Called with no latch held.</summary>
internal interface IReclaimer
{
    /// <summary>Evicts at least one ephemeral page, of one pool or (null) of the client most over its share. False if there is none left to evict.</summary>
    bool EvictOne(Pool? only);

    /// <summary>As <see cref="EvictOne"/>, of the pools one client owns.</summary>
    bool EvictOneOf(ClientState client);
}
