using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Reclaim;

namespace Tmem.Engine.Region;

/// <summary>
/// Slots of equal size in spans, one list of spans with free slots for each kind and class, each under its own latch. A slot's first
/// word says what it is: 0 free, 1 taken but not committed, anything else committed. Free slots are chained through their second word.
/// Chains and counts are derived: the attach walk makes them anew.
/// <para>Lock order: a class's latch, then the span pool's.</para>
/// </summary>
internal sealed unsafe class SlabAllocator : IDisposable
{
    /// <summary>First word of a slot that is taken and not yet committed.</summary>
    public const ulong InFlight = 1;

    private const int Kinds = 6;

    // One cache line a class: two threads that store pages of different sizes never meet.
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct ClassState
    {
        public int Latch;
        public uint Head;
    }

    private readonly byte* _start;
    private readonly SpanPool _spans;
    private ClassState* _classes;
    private long _pageSpans;
    private long _recordSpans;

    public SlabAllocator(RegionMemory memory, SpanPool spans)
    {
        _start = memory.Start;
        _spans = spans;
        _classes = (ClassState*)NativeMemory.AlignedAlloc((nuint)(Kinds * SizeClasses.Count * sizeof(ClassState)), 64);
        NativeMemory.Clear(_classes, (nuint)(Kinds * SizeClasses.Count * sizeof(ClassState)));
    }

    /// <summary>Spans that hold pages, of either kind.</summary>
    public long PageSpans => Volatile.Read(ref _pageSpans);

    /// <summary>Spans that hold the embedder's records.</summary>
    public long RecordSpans => Volatile.Read(ref _recordSpans);

    /// <summary>For tests: asked before each allocation; true makes it fail.</summary>
    internal Func<bool>? FaultInjector { get; set; }

    public SpanPool Spans => _spans;

    /// <summary>Who makes room; set once by the engine.</summary>
    internal IReclaimer? Reclaimer { get; set; }

    /// <summary>As <see cref="Allocate"/>, evicting ephemeral pages until there is room or nothing is left to evict. No latch is held.</summary>
    public ulong AllocateEvicting(SpanKind kind, int sizeClass)
    {
        ulong place;
        while ((place = Allocate(kind, sizeClass)) == 0)
        {
            if (Reclaimer is null || !Reclaimer.EvictOne(null)) return 0;
        }
        return place;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(ulong place) => _start + place;

    /// <summary>A slot of the class, or of a larger one if the store has no span left for it. 0 when there is neither.</summary>
    /// <returns>The slot's place: byte offset in the region, a multiple of 16.</returns>
    public ulong Allocate(SpanKind kind, int sizeClass)
    {
        if (FaultInjector is { } fails && fails()) return 0;
        var place = AllocateFrom(kind, sizeClass, mayTakeSpan: true);
        if (place != 0 || sizeClass >= SizeClasses.General) return place;
        for (var larger = sizeClass + 1; larger < SizeClasses.General && place == 0; larger++)
            place = AllocateFrom(kind, larger, mayTakeSpan: false);
        return place;
    }

    private ulong AllocateFrom(SpanKind kind, int sizeClass, bool mayTakeSpan)
    {
        ref var state = ref State(kind, sizeClass);
        if (!mayTakeSpan && Volatile.Read(ref state.Head) == 0) return 0;
        SpinLatch.Enter(ref state.Latch);
        uint span;
        if (state.Head != 0)
        {
            span = state.Head - 1;
        }
        else if (!mayTakeSpan || !_spans.TryTake(kind, sizeClass, out span))
        {
            SpinLatch.Exit(ref state.Latch);
            return 0;
        }
        else
        {
            Count(kind, 1);
            List(ref state, span);
        }

        ref var entry = ref _spans.Table[span];
        var start = _spans.PlaceOf(span);
        var size = SizeClasses.Size(sizeClass);
        ulong place;
        if (entry.FreeHead != 0)
        {
            place = start + (ulong)((entry.FreeHead - 1) * size);
            entry.FreeHead = (ushort)((ulong*)(_start + place))[1];
        }
        else
        {
            place = start + (ulong)(entry.Bump * size);
            entry.Bump++;
        }
        entry.Live++;
        Volatile.Write(ref *(ulong*)(_start + place), InFlight);
        if (entry.Live == SizeClasses.SlotsPerSpan(sizeClass)) Unlist(ref state, span);
        SpinLatch.Exit(ref state.Latch);
        return place;
    }

    public void Free(ulong place)
    {
        var span = _spans.SpanOf(place);
        ref var entry = ref _spans.Table[span];
        var kind = entry.Kind;
        var sizeClass = entry.Class;
        ref var state = ref State(kind, sizeClass);
        SpinLatch.Enter(ref state.Latch);
        var words = (ulong*)(_start + place);
        Volatile.Write(ref words[0], 0);
        words[1] = entry.FreeHead;
        entry.FreeHead = (ushort)((place - _spans.PlaceOf(span)) / (ulong)SizeClasses.Size(sizeClass) + 1);
        entry.Live--;
        if (entry.Live == 0)
        {
            if (entry.Listed != 0) Unlist(ref state, span);
            Count(kind, -1);
            _spans.Return(span);
        }
        else if (entry.Listed == 0)
        {
            List(ref state, span);
        }
        SpinLatch.Exit(ref state.Latch);
    }

    /// <summary>Real memory of the slot at this place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int SlotBytes(ulong place) => SizeClasses.Size(_spans.Table[_spans.SpanOf(place)].Class);

    /// <summary>Whether a place, which may come from anywhere, is the start of a used slot of that kind.</summary>
    public bool IsSlot(ulong place, SpanKind kind)
    {
        if ((place & 15) != 0 || !_spans.Contains(place)) return false;
        var span = _spans.SpanOf(place);
        ref var entry = ref _spans.Table[span];
        if (entry.Kind != kind || entry.Class >= SizeClasses.Count) return false;
        var offset = place - _spans.PlaceOf(span);
        var size = (ulong)SizeClasses.Size(entry.Class);
        return offset % size == 0 && offset / size < (ulong)SizeClasses.SlotsPerSpan(entry.Class);
    }

    /// <summary>The place of the slot that contains this place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong SlotOf(ulong place)
    {
        var span = _spans.SpanOf(place);
        var start = _spans.PlaceOf(span);
        var size = (ulong)SizeClasses.Size(_spans.Table[span].Class);
        return start + (place - start) / size * size;
    }

    /// <summary>Puts a recovered span (its Live, Bump and FreeHead set) into the allocator's hands.</summary>
    public void Adopt(uint span)
    {
        ref var entry = ref _spans.Table[span];
        Count(entry.Kind, 1);
        if (entry.Live == 0)
        {
            Count(entry.Kind, -1);
            _spans.Return(span);
        }
        else if (entry.Live < SizeClasses.SlotsPerSpan(entry.Class))
        {
            List(ref State(entry.Kind, entry.Class), span);
        }
    }

    /// <summary>Holds off allocation and release of slots of every kind while <paramref name="look"/> reads. For the verifier.</summary>
    public void WhileHeld(Action look)
    {
        for (var i = 0; i < Kinds * SizeClasses.Count; i++) SpinLatch.Enter(ref _classes[i].Latch);
        try { look(); }
        finally { for (var i = 0; i < Kinds * SizeClasses.Count; i++) SpinLatch.Exit(ref _classes[i].Latch); }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_classes);
        _classes = null;
    }

    private ref ClassState State(SpanKind kind, int sizeClass) => ref _classes[(int)kind * SizeClasses.Count + sizeClass];

    private void List(ref ClassState state, uint span)
    {
        ref var entry = ref _spans.Table[span];
        entry.Next = state.Head;
        entry.Previous = 0;
        if (state.Head != 0) _spans.Table[state.Head - 1].Previous = span + 1;
        state.Head = span + 1;
        entry.Listed = 1;
    }

    private void Unlist(ref ClassState state, uint span)
    {
        ref var entry = ref _spans.Table[span];
        if (entry.Previous != 0) _spans.Table[entry.Previous - 1].Next = entry.Next;
        else state.Head = entry.Next;
        if (entry.Next != 0) _spans.Table[entry.Next - 1].Previous = entry.Previous;
        entry.Listed = 0;
    }

    private void Count(SpanKind kind, int change)
    {
        if (kind is SpanKind.PersistentPages or SpanKind.EphemeralPages) Interlocked.Add(ref _pageSpans, change);
        else if (kind == SpanKind.Records) Interlocked.Add(ref _recordSpans, change);
    }
}
