using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Makes room, in this order: free slots while they are more than a sixteenth of the store, then ephemeral pages, then whatever
/// else compaction can win. Moving a page costs a fifth of storing one, so a sparse store gives up holes before pages.
/// </summary>
internal sealed class Reclaimer(SpanPool spans, SlabAllocator slabs, EvictionHand hand, Compactor compactor) : IReclaimer
{
    /// <summary>Slots moved before the caller that waits for room tries again.</summary>
    private const int MovesAStep = 256;

    /// <summary>The most an allocation takes at once: the largest slot and a page of the span table.</summary>
    private const long LargestNeed = 2 * RegionLayout.LargestPageSize;

    /// <summary>Evictions in a row that leave no less stored.</summary>
    private const int MostVain = 1024;

    public bool MakeRoom(ref RoomSearch search)
    {
        var used = spans.Used;
        // With room left, the capacity did not refuse.
        var isFull = used + LargestNeed > spans.Room;
        if (isFull && slabs.SlackBytes() > used / 16 && compactor.Win(MovesAStep, ref search)) return true;
        return hand.EvictOne(null) || (isFull && compactor.Win(int.MaxValue, ref search));
    }

    /// <summary>
    /// Gives memory back until at most this much is used. False if persistent pages, records and tables take more.
    /// </summary>
    /// <param name="bytes">The bytes that may be in use.</param>
    /// <param name="insists">If false, also gives up and returns false when others store as fast as it evicts.</param>
    public bool ShrinkTo(long bytes, bool insists)
    {
        if (spans.Used <= bytes) return true;
        spans.ReleaseReady();
        var search = new RoomSearch();
        var least = long.MaxValue;
        var vain = 0;
        while (spans.Used > bytes)
        {
            if (!compactor.Win(int.MaxValue, ref search))
            {
                if ((vain++ == MostVain && !insists) || !hand.EvictOne(null)) return false;
                var stored = spans.Used - slabs.SlackBytes();
                if (stored < least) (least, vain) = (stored, 0);
            }
            spans.ReleaseReady();
        }
        return true;
    }

    public bool EvictOne(Pool pool) => hand.EvictOne(pool);

    public bool EvictOneOf(ClientState client) => hand.EvictOneOf(client);
}
