using System.Runtime.InteropServices;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>Reads every page of a pool, one by one beside the running load, and names those that fail their checksum or do not unpack.</summary>
internal sealed unsafe class PageWalk(SlabAllocator slabs, RegionOperations operations) : IDisposable
{
    private readonly byte* _page = (byte*)NativeMemory.AlignedAlloc(PageSizes.Largest, 64);

    /// <summary>Returns how many pages were read.</summary>
    public long Run(Pool pool, Action<Handle> corrupt)
    {
        long pages = 0;
        for (var number = 0; number < Pool.BucketCount; number++)
        {
            foreach (var id in ObjectsOf(pool, number))
            {
                for (ulong next = 0; next <= uint.MaxValue && operations.NextPage(pool, id, (uint)next, out var index) == TmemStatus.Ok; next = (ulong)index + 1)
                {
                    pages++;
                    if (operations.Peek(pool, id, index, new Span<byte>(_page, pool.PageSize), out _) == TmemStatus.Corrupt)
                        corrupt(new Handle(pool.Id, id, index));
                }
            }
        }
        return pages;
    }

    public void Dispose() => NativeMemory.AlignedFree(_page);

    private List<ObjectId> ObjectsOf(Pool pool, int number)
    {
        var ids = new List<ObjectId>();
        ref var bucket = ref pool.BucketAt(number);
        SpinLatch.Enter(ref bucket.Latch);
        Collect(bucket.Root);
        SpinLatch.Exit(ref bucket.Latch);
        return ids;

        void Collect(ulong place)
        {
            if (place == 0 || !slabs.IsSlot(place, SpanKind.Objects)) return;
            var record = *(ObjectRecord*)slabs.At(place);
            Collect(record.Left);
            ids.Add(record.Id);
            Collect(record.Right);
        }
    }
}
