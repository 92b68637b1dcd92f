using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>Makes room. Called with no latch held.</summary>
internal interface IReclaimer
{
    /// <summary>Gives some memory back: of slots that stand empty between others, or of ephemeral pages. False if there is none to give.</summary>
    bool MakeRoom();

    /// <summary>Evicts at least one ephemeral page of a pool. False if there is none left to evict.</summary>
    bool EvictOne(Pool pool);
}
