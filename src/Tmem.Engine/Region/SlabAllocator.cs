using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// Slots of equal size in spans. Each kind and class has, under its own latch, four lists of spans with free slots by fullness,
/// as zsmalloc's fullness groups: slots are taken from the fullest, so that the emptiest can empty. A slot's first word tells its
/// state: 0 free, 1 taken but not committed, anything else committed. Free slots are chained through their second word. Chains
/// and counts are derived: the attach walk rebuilds them. Page slots take a detour on release (SlabAllocator.Waiting.cs).
/// <para>Lock order: a class's latch, then the span pool's.</para>
/// </summary>
internal sealed unsafe partial class SlabAllocator : IDisposable
{

    private const int Kinds = (int)SpanKind.Dictionaries + 1;
    private const int Lists = 4;

    // One cache line a class: two threads that store pages of different sizes never contend.
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct ClassState
    {
        public int Latch;
        public fixed uint Heads[Lists];
        /// <summary>Slots that wait, at <see cref="WaitingOf"/>.</summary>
        public int Waiting;
        /// <summary>Slots in use, without those that wait: less than the spans say by as many.</summary>
        public long Live;
        public long Present;
    }

    private enum Growth { None, Span, NewSpan }

    private readonly byte* _start;
    private readonly SpanPool _spans;
    private ClassState* _classes;

    public SlabAllocator(RegionMemory memory, SpanPool spans)
    {
        _start = memory.Start;
        _spans = spans;
        _classes = (ClassState*)NativeMemory.AlignedAlloc((nuint)(Kinds * SizeClasses.Count * sizeof(ClassState)), 64);
        NativeMemory.Clear(_classes, (nuint)(Kinds * SizeClasses.Count * sizeof(ClassState)));
        _waiting = (ulong*)NativeMemory.AlignedAlloc((nuint)(Kinds * SizeClasses.Count * MostWaiting * sizeof(ulong)), 64);
    }

    /// <summary>For tests: asked before each allocation; true makes it fail.</summary>
    internal Func<bool>? FaultInjector { get; set; }

    public SpanPool Spans => _spans;

    /// <summary>
    /// As <see cref="Allocate"/>, making room until there is some or nothing is left to compact or to evict; then a larger free
    /// slot serves as well. Called with no latch held.
    /// </summary>
    /// <param name="kind">The slot's use.</param>
    /// <param name="sizeClass">Its size.</param>
    /// <param name="maker">Makes room.</param>
    public ulong AllocateEvicting(SpanKind kind, int sizeClass, IRoomMaker maker)
    {
        ulong place;
        var search = new RoomSearch();
        while ((place = Allocate(kind, sizeClass)) == 0)
        {
            if (!maker.MakeRoom(ref search))
                return FaultInjector is null ? AllocateLarger(kind, sizeClass) : 0;
        }
        return place;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(ulong place) => _start + place;

    /// <summary>A slot of the class; 0 if there is no room for it.</summary>
    /// <returns>The slot's place: byte offset in the region, a multiple of 16.</returns>
    public ulong Allocate(SpanKind kind, int sizeClass)
    {
        if (FaultInjector is { } fails && fails()) return 0;
        return AllocateFrom(kind, sizeClass, Growth.NewSpan);
    }

    /// <summary>A free slot of a larger class, up to one; 0 if there is none without more memory.</summary>
    public ulong AllocateLarger(SpanKind kind, int sizeClass, int most = int.MaxValue)
    {
        ulong place = 0;
        for (var larger = sizeClass + 1; larger < SizeClasses.General && larger <= most && place == 0; larger++)
            place = AllocateFrom(kind, larger, Growth.None);
        return place;
    }

    /// <summary>A slot in a span already in use, for a slot that the compactor moves; 0 if there is none.</summary>
    public ulong AllocateBeside(SpanKind kind, int sizeClass) => AllocateFrom(kind, sizeClass, Growth.Span);

    private ulong AllocateFrom(SpanKind kind, int sizeClass, Growth growth)
    {
        ref var state = ref State(kind, sizeClass);
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        var place = TakeWaiting(ref state, kind, sizeClass);
        if (place != 0)
        {
            state.Live++;
        }
        else if (Choose(ref state, sizeClass, growth, out var span)
            || (growth == Growth.NewSpan && TakeSpan(ref state, kind, sizeClass, out span)))
        {
            place = TakeSlot(span, sizeClass);
            state.Live++;
            Relist(ref state, span);
        }
        SpinLatch.Exit(ref state.Latch);
        return place;
    }

    /// <summary>The fullest span with a free slot: one whose memory is present, else one that can be extended.</summary>
    private bool Choose(ref ClassState state, int sizeClass, Growth growth, out uint span)
    {
        uint extendable = 0;
        for (var list = Lists - 1; list >= 0; list--)
        {
            for (var next = state.Heads[list]; next != 0; next = _spans.Table[next - 1].Next)
            {
                span = next - 1;
                ref var entry = ref _spans.Table[span];
                if (entry.FreeHead != 0 || NextSlotEnd(entry, sizeClass) <= entry.Present * RegionLayout.PageSize) return true;
                if (extendable == 0) extendable = next;
            }
        }
        span = extendable - 1;
        return extendable != 0 && growth != Growth.None && Extend(ref state, span, sizeClass);
    }

    private bool TakeSpan(ref ClassState state, SpanKind kind, int sizeClass, out uint span)
    {
        if (!_spans.TryTake(kind, sizeClass, out span)) return false;
        ref var entry = ref _spans.Table[span];
        state.Present += entry.Present;
        if (NextSlotEnd(entry, sizeClass) <= entry.Present * RegionLayout.PageSize || Extend(ref state, span, sizeClass))
            return true;
        state.Present -= entry.Present;
        _spans.Return(span);
        return false;
    }

    private bool Extend(ref ClassState state, uint span, int sizeClass)
    {
        ref var entry = ref _spans.Table[span];
        var before = entry.Present;
        if (!_spans.TryExtend(span, NextSlotEnd(entry, sizeClass), SlotsEnd(sizeClass), state.Present)) return false;
        state.Present += entry.Present - before;
        return true;
    }

    private ulong TakeSlot(uint span, int sizeClass)
    {
        LatchOrder.AssertHeld(LatchRank.Class);
        ref var entry = ref _spans.Table[span];
        int slot;
        var start = _start + _spans.PlaceOf(span);
        var size = SizeClasses.Size(sizeClass);
        if (entry.FreeHead != 0)
        {
            slot = entry.FreeHead - 1;
            Debug.Assert(*(ulong*)(start + slot * size) == 0, "a slot in the chain of free ones is free");
            entry.FreeHead = (ushort)((ulong*)(start + slot * size))[1];
        }
        else
        {
            slot = entry.Bump++;
        }
        entry.Live++;
        Debug.Assert(slot < entry.Bump && entry.Live <= entry.Bump, "a slot is taken below the first that was never used");
        Volatile.Write(ref *(ulong*)(start + slot * size), SlotState.InFlight);
        return _spans.PlaceOf(span) + (ulong)(slot * size);
    }

    public void Free(ulong place)
    {
        ref var entry = ref _spans.Table[_spans.SpanOf(place)];
        var kind = entry.Kind;
        var sizeClass = entry.Class;
        ref var state = ref State(kind, sizeClass);
        SpinLatch.Enter(ref state.Latch, LatchRank.Class);
        // A damaged leaf can name a slot that is free already.
        if (!LetWait(ref state, entry, place) && *(ulong*)(_start + place) != 0)
        {
            FreeLatched(ref state, place);
            state.Live--;
        }
        SpinLatch.Exit(ref state.Latch);
    }

    private void FreeLatched(ref ClassState state, ulong place)
    {
        var span = _spans.SpanOf(place);
        ref var entry = ref _spans.Table[span];
        var sizeClass = entry.Class;
        var words = (ulong*)(_start + place);
        LatchOrder.AssertHeld(LatchRank.Class);
        Debug.Assert(words[0] != 0 && entry.Live > 0, "a slot is freed once");
        Volatile.Write(ref words[0], 0);
        var slot = (ushort)SizeClasses.SlotAt(sizeClass, place - _spans.PlaceOf(span));
        if (slot == entry.Bump - 1)
        {
            entry.Bump--;
        }
        else
        {
            words[1] = entry.FreeHead;
            entry.FreeHead = (ushort)(slot + 1);
        }
        entry.Live--;
        if (entry.List == SpanList.Isolated) return;
        if (entry.Live == 0) Dismiss(ref state, span);
        else Relist(ref state, span);
    }

    /// <summary>Memory of slabs that no slot in use takes: what compaction could win, including span tails.</summary>
    public long SlackBytes()
    {
        long slack = 0;
        for (var kind = SpanKind.PersistentPages; kind <= SpanKind.Dictionaries; kind++)
        {
            for (var sizeClass = 0; sizeClass < SizeClasses.Count; sizeClass++)
            {
                ref var state = ref State(kind, sizeClass);
                slack += Volatile.Read(ref state.Present) * RegionLayout.PageSize
                    - Volatile.Read(ref state.Live) * SizeClasses.Size(sizeClass);
            }
        }
        return slack;
    }

    /// <summary>Real memory of the slot at this place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int SlotBytes(ulong place) => SizeClasses.Size(_spans.Table[_spans.SpanOf(place)].Class);

    /// <summary>Whether a place, not yet validated, is the start of a used slot of that kind.</summary>
    public bool IsSlot(ulong place, SpanKind kind)
    {
        if ((place & 15) != 0 || !_spans.Contains(place)) return false;
        var span = _spans.SpanOf(place);
        ref var entry = ref _spans.Table[span];
        if (entry.Kind != kind || entry.Class >= SizeClasses.Count) return false;
        var offset = place - _spans.PlaceOf(span);
        var slot = (ulong)SizeClasses.SlotAt(entry.Class, offset);
        var size = (ulong)SizeClasses.Size(entry.Class);
        return slot * size == offset && offset + size <= RegionLayout.SpanBytes;
    }

    /// <summary>As <see cref="IsSlot"/>, for a slot that has been used: its memory is present.</summary>
    public bool IsUsedSlot(ulong place, SpanKind kind, out int bytes)
    {
        bytes = 0;
        if ((place & 15) != 0 || !_spans.Contains(place)) return false;
        var span = _spans.SpanOf(place);
        ref var entry = ref _spans.Table[span];
        var sizeClass = entry.Class;
        if (entry.Kind != kind || sizeClass >= SizeClasses.Count) return false;
        var offset = place - _spans.PlaceOf(span);
        var slot = SizeClasses.SlotAt(sizeClass, offset);
        bytes = SizeClasses.Size(sizeClass);
        return slot < entry.Bump && (ulong)((long)slot * bytes) == offset;
    }

    /// <summary>The place of the slot that contains this place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong SlotOf(ulong place)
    {
        var span = _spans.SpanOf(place);
        var start = _spans.PlaceOf(span);
        var sizeClass = _spans.Table[span].Class;
        return start + (ulong)SizeClasses.SlotAt(sizeClass, place - start) * (ulong)SizeClasses.Size(sizeClass);
    }

    /// <summary>Hands a recovered span (its Live, Bump and FreeHead set) to the allocator.</summary>
    public void Adopt(uint span)
    {
        ref var entry = ref _spans.Table[span];
        _spans.AdoptPresent(span, entry.Bump * SizeClasses.Size(entry.Class), SlotsEnd(entry.Class));
        ref var state = ref State(entry.Kind, entry.Class);
        state.Present += entry.Present;
        state.Live += entry.Live;
        if (entry.Live == 0) Dismiss(ref state, span);
        else Relist(ref state, span);
    }

    /// <summary>
    /// Holds off allocation and release of slots of every kind while <paramref name="look"/> reads.
    /// </summary>
    /// <param name="look">Runs meanwhile.</param>
    /// <param name="noneWaits">
    /// Whether to free all waiting slots first, for a caller that counts slots. That touches each, up to 1,230 pages of cold
    /// memory; a caller that copies the region takes waiting slots along, since an attach frees them.
    /// </param>
    public void WhileHeld(Action look, bool noneWaits)
    {
        for (var i = 0; i < Kinds * SizeClasses.Count; i++) SpinLatch.Enter(ref _classes[i].Latch, LatchRank.Class);
        try
        {
            if (noneWaits) ReleaseAllWaiting();
            look();
        }
        finally { for (var i = 0; i < Kinds * SizeClasses.Count; i++) SpinLatch.Exit(ref _classes[i].Latch); }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_classes);
        NativeMemory.AlignedFree(_waiting);
        _classes = null;
        _waiting = null;
    }

    private ref ClassState State(SpanKind kind, int sizeClass) => ref _classes[(int)kind * SizeClasses.Count + sizeClass];

    private static int SlotsEnd(int sizeClass) => SizeClasses.SlotsPerSpan(sizeClass) * SizeClasses.Size(sizeClass);

    /// <summary>The end of the next never-used slot; beyond all memory if there is none.</summary>
    private static int NextSlotEnd(in SpanEntry entry, int sizeClass) =>
        entry.Bump < SizeClasses.SlotsPerSpan(sizeClass) ? (entry.Bump + 1) * SizeClasses.Size(sizeClass) : int.MaxValue;

    private static SpanList ListFor(in SpanEntry entry)
    {
        var slots = (uint)SizeClasses.SlotsPerSpan(entry.Class);
        return entry.Live == slots ? SpanList.None : (SpanList)(1 + entry.Live * Lists / slots);
    }

    /// <summary>Moves a span to the list for its fullness.</summary>
    private void Relist(ref ClassState state, uint span)
    {
        ref var entry = ref _spans.Table[span];
        var list = ListFor(entry);
        if (list == entry.List) return;
        Unlist(ref state, span);
        entry.List = list;
        if (list == SpanList.None) return;
        ref var head = ref state.Heads[(int)list - 1];
        entry.Next = head;
        entry.Previous = 0;
        if (head != 0) _spans.Table[head - 1].Previous = span + 1;
        head = span + 1;
    }

    private void Unlist(ref ClassState state, uint span)
    {
        ref var entry = ref _spans.Table[span];
        if (entry.List is not (SpanList.None or SpanList.Isolated))
        {
            if (entry.Previous != 0) _spans.Table[entry.Previous - 1].Next = entry.Next;
            else state.Heads[(int)entry.List - 1] = entry.Next;
            if (entry.Next != 0) _spans.Table[entry.Next - 1].Previous = entry.Previous;
        }
        entry.List = SpanList.None;
    }

    /// <summary>Releases a span without slots in use.</summary>
    private void Dismiss(ref ClassState state, uint span)
    {
        Unlist(ref state, span);
        state.Present -= _spans.Table[span].Present;
        _spans.Return(span);
    }
}
