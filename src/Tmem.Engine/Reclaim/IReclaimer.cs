using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>Makes room. Called with no latch held.</summary>
internal interface IReclaimer
{
    /// <summary>Evicts at least one ephemeral page, of one pool or of any. False if there is none left to evict.</summary>
    bool EvictOne(Pool? only);
}
