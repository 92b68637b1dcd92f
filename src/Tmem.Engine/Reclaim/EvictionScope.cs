using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>The pages an eviction may take: one pool's, one client's, or (neither) any.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Client">The client.</param>
/// <param name="Cause">The counter of evictions for this reason, which are counted as evictions too.</param>
internal readonly record struct EvictionScope(Pool? Pool, ClientState? Client, Count Cause = Count.Evictions)
{
    /// <summary>Whether some ephemeral pages are out of scope.</summary>
    public bool IsPart => Pool is not null || Client is not null;

    public bool Covers(Pool pool) => (Pool is null || Pool == pool) && (Client is null || Client == pool.Owner);

    /// <summary>Whether any page in scope takes a slot: a hint, as counters are.</summary>
    public bool HasSlots =>
        Pool is not null ? Pool.Counters.Sum(Count.SlotBytes) > 0
        : Client is null || Client.Sum(Count.SlotBytes, ephemeralOnly: true) > 0;
}
