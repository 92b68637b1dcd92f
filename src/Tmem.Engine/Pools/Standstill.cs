using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Holds off all operations at their latches, for the verifier's check of the structure and a checkpoint's last pages. Takes the
/// pool table's lock first, then latches in the order of the operations: buckets by place in the pool table, then slabs.
/// </summary>
internal static class Standstill
{
    /// <param name="pools">No pool is added or removed meanwhile.</param>
    /// <param name="slabs">No slot is taken or freed meanwhile.</param>
    /// <param name="noneWaits">No slot waits to be freed meanwhile: see <see cref="SlabAllocator.WhileHeld"/>.</param>
    /// <param name="look">Receives all pools, including those being drained.</param>
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
