using Tmem.Engine.Clients;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Where room comes from, in this order: slots that stand empty while they are more than a sixteenth of the store, then ephemeral pages, then
/// whatever else compaction can win. Moving a page costs a fifth of storing one, so a sparse store gives up holes before pages.
/// </summary>
internal sealed class Reclaimer(SpanPool spans, SlabAllocator slabs, EvictionHand hand, Compactor compactor) : IReclaimer
{
    /// <summary>Slots moved before the one who waits for room tries again.</summary>
    private const int MovesAStep = 256;

    /// <summary>The most an allocation takes at once: the largest slot and a page of the span table.</summary>
    private const long LargestNeed = 2 * RegionLayout.LargestPageSize;

    public bool MakeRoom()
    {
        var used = spans.Used;
        // With room left, it was not the capacity that refused.
        var isFull = used + LargestNeed > spans.Capacity;
        if (isFull && slabs.SlackBytes() > used / 16 && compactor.Win(MovesAStep)) return true;
        return hand.EvictOne(null) || (isFull && compactor.Win(int.MaxValue));
    }

    /// <summary>Gives back until no more than this is used. False if persistent pages, records and tables take more.</summary>
    public bool ShrinkTo(long bytes)
    {
        if (spans.Used <= bytes) return true;
        spans.ReleaseReady();
        while (spans.Used > bytes)
        {
            if (!compactor.Win(int.MaxValue) && !hand.EvictOne(null)) return false;
            spans.ReleaseReady();
        }
        return true;
    }

    public bool EvictOne(Pool pool) => hand.EvictOne(pool);

    public bool EvictOneOf(ClientState client) => hand.EvictOneOf(client);
}
