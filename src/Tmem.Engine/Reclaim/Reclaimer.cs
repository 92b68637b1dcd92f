using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Makes room, in this order: free slots while they are more than a sixteenth of the store, then ephemeral pages, then whatever
/// else compaction can win. Moving a page costs a fifth of storing one, so a sparse store gives up holes before pages.
/// </summary>
internal sealed class Reclaimer(
    SpanPool spans, SlabAllocator slabs, PoolTable pools, EvictionHand hand, Compactor compactor, Ghosts ghosts) : IReclaimer
{
    /// <summary>Slots moved before the caller that waits for room tries again.</summary>
    private const int MovesAStep = 256;

    /// <summary>The most an allocation takes at once: the largest slot and a page of the span table.</summary>
    private const long LargestNeed = 2 * RegionLayout.LargestPageSize;

    /// <summary>
    /// Rooms made without a look after the store was found dense: adding up the classes takes half a microsecond, a sixth of what
    /// a put into a full store costs beside its codec, and so many evictions leave 64 KiB of holes at most.
    /// </summary>
    private const int Trust = 16;

    /// <summary>Ghosts take room from ephemeral pages only where these take this many times as much.</summary>
    private const int LeastOfGhosts = 16;

    /// <summary>Evictions in a row that leave no less stored.</summary>
    private const int MostVain = 1024;

    private int _trusting;

    public bool MakeRoom(ref RoomSearch search)
    {
        var used = spans.Used;
        // With room left, the capacity did not refuse.
        var isFull = used + LargestNeed > spans.Room;
        if (isFull && HasHoles(used) && compactor.Win(MovesAStep, ref search)) return true;
        return hand.EvictOne(null) || (isFull && compactor.Win(int.MaxValue, ref search));
    }

    private bool HasHoles(long used)
    {
        if (Interlocked.Decrement(ref _trusting) > 0) return false;
        var has = slabs.SlackBytes() > used / 16;
        Volatile.Write(ref _trusting, has ? 0 : Trust);
        return has;
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

    /// <summary>
    /// Gives the ghosts their memory once there is an ephemeral pool, and adapts it to the capacity; ephemeral pages make room
    /// for it. Where reserves or persistent pages leave none, evictions do without. One caller at a time.
    /// </summary>
    public void FitGhosts()
    {
        var capacity = spans.Capacity;
        var bytes = Ghosts.BytesFor(capacity);
        if (!ghosts.Misfits(capacity) || !pools.Living().Any(pool => !pool.IsPersistent)) return;
        if (pools.Reserves.Any && pools.Reserves.Free < bytes) return;
        if (ghosts.TryFit(capacity)) return;
        var ephemeral = pools.Living().Where(pool => !pool.IsPersistent).Sum(pool => pool.Memory);
        if (ephemeral > LeastOfGhosts * bytes && ShrinkTo(spans.Room - bytes, insists: false)) ghosts.TryFit(capacity);
    }

    public void Expect(ulong name) => ghosts.Expect(name);

    public bool HasReturned(ulong name) => hand.HasReturned(name);

    public bool EvictOne(Pool pool) => hand.EvictOne(pool);

    public bool EvictOneOf(ClientState client) => hand.EvictOneOf(client);
}
