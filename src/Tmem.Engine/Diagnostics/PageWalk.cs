using System.Runtime.InteropServices;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Diagnostics;

/// <summary>
/// Reads every page of a pool, one by one beside the running load, and reports those that fail their checksum or do not unpack.
/// </summary>
internal sealed unsafe class PageWalk(RegionOperations operations) : IDisposable
{
    private readonly byte* _page = (byte*)NativeMemory.AlignedAlloc(PageSizes.Largest, 64);

    /// <summary>Returns the number of pages read.</summary>
    public long Run(Pool pool, Action<PageHandle> corrupt, CancellationToken cancellation = default)
    {
        long pages = 0;
        for (var number = 0; number < Pool.BucketCount; number++)
        {
            // One object after the other, by id: a bucket may hold any number, and they come and go meanwhile.
            for (var from = default(ObjectId); operations.Search.NextObject(pool, number, from, out var id); from = id.Next())
            {
                for (ulong next = 0; next <= uint.MaxValue
                    && operations.Search.NextPage(pool, id, (uint)next, out var index) == TmemStatus.Ok; next = (ulong)index + 1)
                {
                    cancellation.ThrowIfCancellationRequested();
                    pages++;
                    if (operations.Pages.Peek(pool, id, index, new Span<byte>(_page, pool.PageSize), out _) == TmemStatus.Corrupt)
                        corrupt(new PageHandle(pool.Id, id, index));
                }
            }
        }
        return pages;
    }

    public void Dispose() => NativeMemory.AlignedFree(_page);
}
