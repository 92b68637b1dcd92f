using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>One class at a time held off, for who looks at a span of it beside the work of others.</summary>
internal sealed unsafe partial class SlabAllocator
{
    /// <summary>
    /// Holds off allocation and release of slots of a span's class while <paramref name="look"/> reads the span. Not called, and
    /// false, if the span is nobody's, or its entry names no class.
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
                // It may have become another's before the latch was ours.
                if (entry.Kind != kind || entry.Class != sizeClass) continue;
                look();
                return true;
            }
            finally { SpinLatch.Exit(ref state.Latch); }
        }
    }
}
