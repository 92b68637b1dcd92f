using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// Page slots that wait to be freed. A flush or an overwrite finds all it needs in the leaf, so it would touch the slot only for
/// its free chain; in a large store that is cold memory, 200 to 400 ns in which nothing else can happen, since the next
/// interlocked instruction waits for the store. So the line is prefetched, and the slot waits beside others of its class: the
/// next page of the class takes it as it is, or, when too many wait, it is freed for good, in the cache by then.
/// <para>Until then it looks taken, with the header of a page that is gone: no leaf refers to it, so the hands and the compactor
/// pass it by as they do any page just removed, and an attach frees it. Spans count it as in use; the class's slack includes it,
/// so compaction finds it.</para>
/// </summary>
internal sealed unsafe partial class SlabAllocator
{
    /// <summary>A cache line of places a class.</summary>
    private const int MostWaiting = 8;

    /// <summary>At most this part of a class's slots wait: a small store must not spend its memory on them.</summary>
    private const int LeastLiveAWaiting = 64;

    private ulong* _waiting;

    /// <summary>Slots of a class that wait. For tests.</summary>
    internal int Waiting(SpanKind kind, int sizeClass) => State(kind, sizeClass).Waiting;

    /// <summary>Whether a slot waits. It looks taken, and no leaf refers to it: that is no leak.</summary>
    public bool IsWaiting(ulong place)
    {
        ref var entry = ref _spans.Table[_spans.SpanOf(place)];
        var (kind, sizeClass) = (entry.Kind, entry.Class);
        if (!MayWait(kind) || sizeClass >= SizeClasses.Count) return false;
        ref var state = ref State(kind, sizeClass);
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        var waits = new ReadOnlySpan<ulong>(WaitingOf(kind, sizeClass), state.Waiting).Contains(place);
        SpinLatch.Exit(ref state.Latch);
        return waits;
    }

    private static bool MayWait(SpanKind kind) => kind is SpanKind.PersistentPages or SpanKind.EphemeralPages;

    /// <summary>Lets an unreferenced slot wait. False if it has to be freed at once. Under the class's latch.</summary>
    private bool LetWait(ref ClassState state, in SpanEntry entry, ulong place)
    {
        LatchOrder.AssertHeld(LatchRank.Class);
        // An isolated span is being emptied, and serves no allocation.
        if (!MayWait(entry.Kind) || entry.List == SpanList.Isolated) return false;
        if (state.Waiting >= Math.Min(MostWaiting, state.Live / LeastLiveAWaiting))
            ReleaseWaiting(ref state, entry.Kind, entry.Class);
        if (state.Live < LeastLiveAWaiting) return false;
        var waiting = WaitingOf(entry.Kind, entry.Class);
        // Two leaves with one slot are damage, and must not become two pages in one slot.
        if (new ReadOnlySpan<ulong>(waiting, state.Waiting).Contains(place)) return true;
        if (Sse.IsSupported) Sse.Prefetch0(_start + place);
        waiting[state.Waiting++] = place;
        state.Live--;
        return true;
    }

    /// <summary>Takes the slot that began to wait last; 0 if none waits. Under the class's latch.</summary>
    private ulong TakeWaiting(ref ClassState state, SpanKind kind, int sizeClass)
    {
        LatchOrder.AssertHeld(LatchRank.Class);
        while (state.Waiting > 0)
        {
            var place = WaitingOf(kind, sizeClass)[--state.Waiting];
            if (IsStillTaken(place, kind, sizeClass))
            {
                Volatile.Write(ref *(ulong*)(_start + place), SlotState.InFlight);
                return place;
            }
            state.Live++;
        }
        return 0;
    }

    private void ReleaseWaiting(ref ClassState state, SpanKind kind, int sizeClass)
    {
        LatchOrder.AssertHeld(LatchRank.Class);
        while (state.Waiting > 0)
        {
            var place = WaitingOf(kind, sizeClass)[--state.Waiting];
            if (IsStillTaken(place, kind, sizeClass)) FreeLatched(ref state, place);
            else state.Live++;
        }
    }

    private void ReleaseAllWaiting()
    {
        for (var kind = SpanKind.PersistentPages; kind <= SpanKind.EphemeralPages; kind++)
        {
            for (var sizeClass = 0; sizeClass < SizeClasses.Count; sizeClass++)
                ReleaseWaiting(ref State(kind, sizeClass), kind, sizeClass);
        }
    }

    /// <summary>False for a slot that was free already, freed twice through a damaged leaf.</summary>
    private bool IsStillTaken(ulong place, SpanKind kind, int sizeClass)
    {
        ref var entry = ref _spans.Table[_spans.SpanOf(place)];
        return entry.Kind == kind && entry.Class == sizeClass && *(ulong*)(_start + place) != 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong* WaitingOf(SpanKind kind, int sizeClass) =>
        _waiting + ((int)kind * SizeClasses.Count + sizeClass) * MostWaiting;
}
