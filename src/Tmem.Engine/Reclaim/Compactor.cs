using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Moves slots out of sparse spans, so that at rest all spans of a class are full but one, and that one holds no more memory than
/// its slots need. One span at a time: the emptiest of a class is isolated, its slots move from the top down into the class's
/// other spans, or, when those are full, into its own lowest free slots; memory it no longer needs goes back to the kernel.
/// Pages, radix nodes and objects move; records (the embedder holds their places) and dictionaries stay, and their spans only
/// give back what lies above them.
/// <para>Slots are reused as they are freed, so a store that is only overwritten stays dense by itself; flushes leave holes. The
/// slots moved bound a step. Lock order: the compactor's latch, then a bucket's.</para>
/// </summary>
internal sealed unsafe class Compactor
{
    private readonly SlabAllocator _slabs;
    private readonly SpanPool _spans;
    private readonly PoolTable _pools;
    private readonly Func<ulong, (ulong, uint)> _locate;
    private readonly RegionRelocation _relocation;
    private int _latch;
    private int _next;
    private long _moved;

    public Compactor(SlabAllocator slabs, PoolTable pools, RegionRelocation relocation, LeafLocator locator)
    {
        _slabs = slabs;
        _spans = slabs.Spans;
        _pools = pools;
        _relocation = relocation;
        _locate = locator.Locate;
    }

    /// <summary>Slots moved since the engine was opened.</summary>
    public long Moved => Volatile.Read(ref _moved);

    /// <summary>
    /// Works until this thread or one it waited for has won some memory, or this many slots have been moved. False if there was
    /// nothing to win that the search had not found insufficient.
    /// </summary>
    public bool Win(int moves, ref RoomSearch search)
    {
        search.Begin(InUse);
        var gained = true;
        for (var steps = MostSteps; gained && moves > 0 && steps > 0; steps--)
        {
            gained = Step(ref moves);
            if (search.IsMet(InUse)) return true;
        }
        return false;
    }

    /// <summary>Works until nothing is left to win or this many slots have been moved. Returns the number moved.</summary>
    public int Compact(int moves)
    {
        var left = moves;
        for (var steps = MostSteps; left > 0 && steps > 0 && Step(ref left); steps--) { }
        return moves - left;
    }

    /// <summary>
    /// As <see cref="Step"/>, where it wins a sixty-fourth of a class or more. False as well if another thread compacts.
    /// </summary>
    public bool TryStep(ref int moves)
    {
        if (!SpinLatch.TryEnter(ref _latch, LatchRank.Reclaim)) return false;
        var gained = StepLatched(ref moves, thorough: false);
        SpinLatch.Exit(ref _latch);
        return gained;
    }

    /// <summary>
    /// Each step empties a span, so one for each is enough; under load there would always be one more hole to close.
    /// </summary>
    private long MostSteps => _spans.InUse + 1;

    /// <summary>
    /// Compacts one span of the next class that gains by it, down to the last page. False if a round over all classes found none.
    /// </summary>
    /// <param name="moves">Slots that may be moved; reduced by those that were.</param>
    private bool Step(ref int moves)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Reclaim);
        var gained = StepLatched(ref moves, thorough: true);
        SpinLatch.Exit(ref _latch);
        return gained;
    }

    private bool StepLatched(ref int moves, bool thorough)
    {
        var gained = false;
        var all = (int)SpanKind.Dictionaries * SizeClasses.Count;
        for (var tried = 0; tried < all && !gained && moves > 0; tried++)
        {
            var kind = (SpanKind)(1 + _next / SizeClasses.Count);
            var sizeClass = _next % SizeClasses.Count;
            if (_slabs.TryIsolate(kind, sizeClass, thorough, out var span))
            {
                var before = InUse;
                var moved = Empty(span, kind, ref moves);
                gained = moved > 0 || InUse < before;
            }
            if (!gained) _next = (_next + 1) % all;
        }
        return gained;
    }

    /// <summary>Keeps compaction off while the verifier counts.</summary>
    public void Hold() => SpinLatch.Enter(ref _latch, LatchRank.Reclaim);

    public void Release() => SpinLatch.Exit(ref _latch);

    private long InUse => _spans.Used - _spans.ReadyBytes;

    /// <summary>Moves what it can out of an isolated span, or down in it, and releases the span.</summary>
    private int Empty(uint span, SpanKind kind, ref int moves)
    {
        ref var entry = ref _spans.Table[span];
        var size = SizeClasses.Size(entry.Class);
        var isMovable = kind is not (SpanKind.Records or SpanKind.Dictionaries);
        var moved = 0;
        for (var slot = entry.Bump - 1; slot >= 0 && isMovable && moves > 0; slot--)
        {
            var from = _spans.PlaceOf(span) + (ulong)(slot * size);
            if (!_slabs.IsTaken(from)) continue;
            var to = _slabs.AllocateBeside(kind, entry.Class);
            if (to == 0) to = _slabs.AllocateBelow(span, slot);
            if (to == 0) break;
            moves--;
            if (Move(kind, from, to)) moved++;
        }
        _slabs.Rejoin(span);
        Interlocked.Add(ref _moved, moved);
        return moved;
    }

    private bool Move(SpanKind kind, ulong from, ulong to) => kind switch
    {
        SpanKind.Nodes => MoveNode(from, to),
        SpanKind.Objects => MoveObject(from, to),
        _ => MovePage(from, to),
    };

    private bool MovePage(ulong from, ulong to)
    {
        // Read without a latch, so not trusted until the leaf is seen under it.
        var header = *(SlotHeader*)_slabs.At(from);
        if (header.IsCommitted && _pools.AtPlace(header.PoolPlace) is { } pool)
            return _relocation.Relocate(pool, header.Bucket, header.Leaf, from, to, _locate);
        _slabs.Free(to);
        return false;
    }

    private bool MoveNode(ulong from, ulong to)
    {
        var obj = ((RadixNode*)_slabs.At(from))->Object;
        if (_slabs.IsSlot(obj, SpanKind.Objects))
        {
            var record = *(ObjectRecord*)_slabs.At(obj);
            if (record.IsCommitted && _pools.Find(record.Pool) is { } pool)
                return _relocation.RelocateNode(pool, record.Bucket, obj, from, to);
        }
        _slabs.Free(to);
        return false;
    }

    private bool MoveObject(ulong from, ulong to)
    {
        var record = *(ObjectRecord*)_slabs.At(from);
        if (record.IsCommitted && _pools.Find(record.Pool) is { } pool)
            return _relocation.RelocateObject(pool, record.Bucket, from, to);
        _slabs.Free(to);
        return false;
    }
}
