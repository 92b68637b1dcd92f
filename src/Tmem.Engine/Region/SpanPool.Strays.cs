using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// Strays: memory that a memfd holds outside the account. A read of a hole through a mapping populates the page: by a core dump,
/// a debugger, a process that makes the region present beside one that gives memory back. The file tells how much it holds, so
/// the account can be compared with it; the excess is punched again, a piece at a time: all that lies beyond the present pages of
/// each span.
/// </summary>
internal sealed unsafe partial class SpanPool
{
    private const long Tolerance = 64 << 10;
    private const long PieceBytes = 4 << 20;

    private long _straysPunched;

    /// <summary>Bytes of strays found and given back.</summary>
    public long StraysPunched => Volatile.Read(ref _straysPunched);

    /// <summary>
    /// What the file holds beyond the account; normally 0 or less: a page is counted before it is present and until it is gone.
    /// </summary>
    public long StrayBytes()
    {
        if (!_memory.MayHaveStrays) return 0;
        var before = Counted();
        var held = _memory.HeldBytes;
        return held - Math.Max(before, Counted());
    }

    /// <summary>Whether there are enough strays to look for.</summary>
    public bool HasStrays => StrayBytes() > Tolerance;

    /// <summary>Notes what a pass over all spans has given back.</summary>
    public void NotePunched(long bytes) => Interlocked.Add(ref _straysPunched, Math.Max(0, bytes));

    /// <summary>Punches what lies beyond a span's present pages. The caller holds the span's class.</summary>
    public void PunchBeyond(uint span)
    {
        var present = Table[span].Present * RegionLayout.PageSize;
        if (present < RegionLayout.SpanBytes) _memory.Punch((long)PlaceOf(span) + present, RegionLayout.SpanBytes - present);
    }

    /// <summary>As <see cref="PunchBeyond"/>, for a span in a list of empty ones; others are their class's.</summary>
    public void PunchEmpty(uint span)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        if (Table[span] is { Kind: SpanKind.Free, List: SpanList.Ready or SpanList.Returned }) PunchBeyond(span);
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>Punches beyond the spans that have ever been used, and beyond the table's part for them.</summary>
    public void PunchUnused()
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var tableEnd = RegionLayout.SpanTableOffset + TableBytes(_highWater);
        if (tableEnd < _header) _memory.Punch(tableEnd, _header - tableEnd);
        SpinLatch.Exit(ref _latch);
        for (var end = (long)PlaceOf((uint)Count); end > (long)PlaceOf((uint)HighWater); end -= PieceBytes)
        {
            // Under the latch no span is begun; one already begun is filled later.
            SpinLatch.Enter(ref _latch, LatchRank.Spans);
            var from = Math.Max(end - PieceBytes, (long)PlaceOf((uint)_highWater));
            if (from < end) _memory.Punch(from, end - from);
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>A sentence on where account and span table differ; null if they agree. The caller holds every class.</summary>
    public string? Disagreement()
    {
        var present = new long[_present.Length];
        long ready = 0;
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        for (uint span = 0; span < _highWater; span++)
        {
            ref var entry = ref Table[span];
            if (entry.Kind == SpanKind.Free) ready += entry.Present;
            else present[(int)entry.Kind] += entry.Present;
        }
        string? words = null;
        if (ready != _ready) words = $"the account has {_ready} pages in empty spans, and there are {ready}";
        for (var kind = 1; kind < present.Length; kind++)
        {
            if (present[kind] != _present[kind])
                words = $"the account has {_present[kind]} pages in spans of {(SpanKind)kind}, and there are {present[kind]}";
        }
        SpinLatch.Exit(ref _latch);
        return words;
    }

    private long Counted()
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var counted = UsedNow() - _charged;
        SpinLatch.Exit(ref _latch);
        return counted;
    }
}
