using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>The compactor's part of the slabs: a span to empty, places for moved slots, and the span's return.</summary>
internal sealed unsafe partial class SlabAllocator
{
    private const long WorthWhile = 32 << 10;

    /// <summary>
    /// Isolates the emptiest span of a class, if the memory of the class's free slots is worth it: nothing is allocated from it
    /// until <see cref="Rejoin"/>. One thread at a time.
    /// </summary>
    /// <param name="kind">The class's kind.</param>
    /// <param name="sizeClass">The class.</param>
    /// <param name="thorough">
    /// A page is worth it; else a sixty-fourth of the class and no less than <see cref="WorthWhile"/>.
    /// </param>
    /// <param name="span">The span.</param>
    public bool TryIsolate(SpanKind kind, int sizeClass, bool thorough, out uint span)
    {
        ref var state = ref State(kind, sizeClass);
        span = 0;
        var present = Volatile.Read(ref state.Present) * RegionLayout.PageSize;
        var slack = thorough ? RegionLayout.PageSize : Math.Max(WorthWhile, present / 64);
        // Checked without the latch first: most classes have nothing to win.
        if (present - Volatile.Read(ref state.Live) * SizeClasses.Size(sizeClass) < slack) return false;
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        ReleaseWaiting(ref state, kind, sizeClass);
        var found = SlackOfListed(ref state, sizeClass, slack);
        for (var list = 0; found && list < Lists; list++)
        {
            if (state.Heads[list] == 0) continue;
            span = state.Heads[list] - 1;
            Unlist(ref state, span);
            _spans.Table[span].List = SpanList.Isolated;
            break;
        }
        SpinLatch.Exit(ref state.Latch);
        return found;
    }

    /// <summary>A free slot of an isolated span below <paramref name="slot"/>; 0 if there is none.</summary>
    public ulong AllocateBelow(uint span, int slot)
    {
        ref var entry = ref _spans.Table[span];
        ref var state = ref State(entry.Kind, entry.Class);
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        // Slots freed since are mostly above; sorting drops them from the chain.
        if (entry.FreeHead == 0 || entry.FreeHead - 1 >= slot) SortFree(span);
        ulong place = 0;
        if (entry.FreeHead != 0 && entry.FreeHead - 1 < slot)
        {
            place = TakeSlot(span, entry.Class);
            state.Live++;
        }
        SpinLatch.Exit(ref state.Latch);
        return place;
    }

    /// <summary>
    /// Returns an isolated span to its class without the memory above its last slot in use, or to the pool if it is empty.
    /// </summary>
    public void Rejoin(uint span)
    {
        ref var entry = ref _spans.Table[span];
        var sizeClass = entry.Class;
        ref var state = ref State(entry.Kind, sizeClass);
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        entry.List = SpanList.None;
        if (entry.Live == 0)
        {
            Dismiss(ref state, span);
        }
        else
        {
            SortFree(span);
            state.Present -= entry.Present;
            _spans.Trim(span, entry.Bump * SizeClasses.Size(sizeClass));
            state.Present += entry.Present;
            Relist(ref state, span);
        }
        SpinLatch.Exit(ref state.Latch);
    }

    /// <summary>Whether a slot of an isolated span is in use.</summary>
    public bool IsTaken(ulong place) => Volatile.Read(ref *(ulong*)(_start + place)) != 0;

    /// <summary>Chains the free slots of a span from the lowest up and drops those above the last one in use.</summary>
    private void SortFree(uint span)
    {
        ref var entry = ref _spans.Table[span];
        var size = SizeClasses.Size(entry.Class);
        var start = _start + _spans.PlaceOf(span);
        while (entry.Bump > 0 && *(ulong*)(start + (entry.Bump - 1) * size) == 0) entry.Bump--;
        entry.FreeHead = 0;
        for (var slot = entry.Bump - 1; slot >= 0; slot--)
        {
            var words = (ulong*)(start + slot * size);
            if (words[0] != 0) continue;
            words[1] = entry.FreeHead;
            entry.FreeHead = (ushort)(slot + 1);
        }
    }

    private bool SlackOfListed(ref ClassState state, int sizeClass, long enough)
    {
        long slack = 0;
        for (var list = 0; list < Lists; list++)
        {
            for (var next = state.Heads[list]; next != 0; next = _spans.Table[next - 1].Next)
            {
                ref var entry = ref _spans.Table[next - 1];
                slack += entry.Present * RegionLayout.PageSize - entry.Live * SizeClasses.Size(sizeClass);
                if (slack >= enough) return true;
            }
        }
        return false;
    }
}
