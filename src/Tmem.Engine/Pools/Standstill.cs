using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Everybody held off at their latches: the verifier looks at the structure so, and a checkpoint takes its last pages. The pool
/// table's lock first, then in the order of the operations: buckets by place in the pool table, then slabs.
/// </summary>
internal static class Standstill
{
    /// <param name="pools">No pool comes or goes meanwhile.</param>
    /// <param name="slabs">No slot is taken or freed meanwhile.</param>
    /// <param name="noneWaits">No slot waits to be free meanwhile: see <see cref="SlabAllocator.WhileHeld"/>.</param>
    /// <param name="look">Given all pools, those that are being emptied too.</param>
    public static void Run(PoolTable pools, SlabAllocator slabs, bool noneWaits, Action<IReadOnlyList<Pool>> look) =>
        pools.WhileUnchanged(() =>
        {
            var known = pools.Known();
            foreach (var pool in known)
            {
                for (var i = 0; i < Pool.BucketCount; i++) SpinLatch.Enter(ref pool.BucketAt(i).Latch, LatchRank.Bucket);
            }
            try { slabs.WhileHeld(() => look(known), noneWaits); }
            finally
            {
                foreach (var pool in known)
                {
                    for (var i = 0; i < Pool.BucketCount; i++) SpinLatch.Exit(ref pool.BucketAt(i).Latch);
                }
            }
        });
}
