using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Everybody held off at their latches: the verifier looks at the structure so, and a checkpoint takes its last pages. The order is that of
/// the operations: buckets by place in the pool table, then slabs.
/// </summary>
internal static class Standstill
{
    public static void Run(IReadOnlyList<Pool> pools, SlabAllocator slabs, Action look)
    {
        foreach (var pool in pools)
        {
            for (var i = 0; i < Pool.BucketCount; i++) SpinLatch.Enter(ref pool.BucketAt(i).Latch);
        }
        try { slabs.WhileHeld(look); }
        finally
        {
            foreach (var pool in pools)
            {
                for (var i = 0; i < Pool.BucketCount; i++) SpinLatch.Exit(ref pool.BucketAt(i).Latch);
            }
        }
    }

    /// <summary>As the other for all pools; none comes or goes meanwhile.</summary>
    public static void Run(PoolTable pools, SlabAllocator slabs, Action look) =>
        pools.WhileUnchanged(() => Run(pools.Living().ToList(), slabs, look));
}
