using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>Holds off one class at a time, for a check of one of its spans beside other operations.</summary>
internal sealed unsafe partial class SlabAllocator
{
    /// <summary>
    /// Holds off allocation and release of slots of a span's class while <paramref name="look"/> reads the span. Returns false
    /// without calling it if the span is free, or its entry names no class.
    /// </summary>
    public bool WhileSpanHeld(uint span, Action look)
    {
        ref var entry = ref _spans.Table[span];
        while (true)
        {
            var (kind, sizeClass) = (entry.Kind, entry.Class);
            if (kind == SpanKind.Free || (int)kind >= Kinds || sizeClass >= SizeClasses.Count) return false;
            ref var state = ref State(kind, sizeClass);
            SpinLatch.Enter(ref state.Latch, LatchRank.Class);
            try
            {
                // It may have gone to another class before the latch was taken.
                if (entry.Kind != kind || entry.Class != sizeClass) continue;
                look();
                return true;
            }
            finally { SpinLatch.Exit(ref state.Latch); }
        }
    }
}
