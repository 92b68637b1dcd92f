using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// The agreement between <see cref="HugeBlocks"/> and the spans: a block being made keeps all its memory, because the kernel
/// would fill a hole in it, and a span about to lose memory announces it first, so that its block is not begun.
/// </summary>
internal sealed unsafe partial class SpanPool
{
    /// <summary>Makes blocks of spans huge; null if disabled.</summary>
    internal HugeBlocks? Huge { get; set; }

    /// <summary>
    /// Makes a block keep all its memory until <see cref="LetGo"/>. False if some is missing, or it will hardly keep it.
    /// </summary>
    public bool TryHold(HugeBlocks huge, long block)
    {
        var first = block * HugeBlocks.BlockBytes - _header;
        var last = (first + HugeBlocks.BlockBytes - 1) >> RegionLayout.SpanShift;
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var isWhole = first >= 0 && last < _highWater;
        for (var span = first >> RegionLayout.SpanShift; isWhole && span <= last; span++)
        {
            ref var entry = ref Table[span];
            isWhole = entry.Kind != SpanKind.Free && entry.Present == RegionLayout.SpanBytes / RegionLayout.PageSize
                && entry.List != SpanList.Isolated && entry.Live >= SizeClasses.SlotsPerSpan(entry.Class) / 8 * 7;
        }
        if (isWhole) huge.Begin(block);
        SpinLatch.Exit(ref _latch);
        return isWhole;
    }

    public void LetGo(HugeBlocks huge, bool isMade)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        huge.End(isMade);
        SpinLatch.Exit(ref _latch);
    }

    private bool TryBreak(ref SpanEntry entry, uint span, int pages)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var breaks = TryBreakLatched(ref entry, span, pages);
        SpinLatch.Exit(ref _latch);
        return breaks;
    }

    /// <summary>
    /// Removes pages about to be punched from a span's end, first, so that no block with them is made huge any more; false if one
    /// is being made: then they have to stay.
    /// </summary>
    private bool TryBreakLatched(ref SpanEntry entry, uint span, int pages)
    {
        if (Huge is { } huge)
        {
            if (huge.Holds((long)PlaceOf(span))) return false;
            huge.Break((long)PlaceOf(span));
        }
        entry.Present -= (ushort)pages;
        return true;
    }
}
