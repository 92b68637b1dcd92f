using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>Whose pages an eviction may take: one pool's, one client's, or (neither) anybody's.</summary>
internal readonly record struct EvictionScope(Pool? Pool, ClientState? Client)
{
    public bool Covers(Pool pool) => (Pool is null || Pool == pool) && (Client is null || Client == pool.Owner);

    /// <summary>A hint, as counters are: whether any page covered takes a slot.</summary>
    public bool HasSlots =>
        Pool is not null ? Pool.Counters.Sum(Count.SlotBytes) > 0
        : Client is null || Client.Sum(Count.SlotBytes, ephemeralOnly: true) > 0;
}
