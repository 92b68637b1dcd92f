using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// Gives back memory of the region that is not in the account (<see cref="SpanPool"/>): a span at a time, under the latch that
/// keeps it from growing.
/// </summary>
internal sealed unsafe partial class SlabAllocator
{
    private readonly Lock _strays = new();

    /// <summary>
    /// Punches strays if the file holds more than is accounted for. Others wait for a punch at most. False if the excess remains:
    /// a process is still reading, or the kernel populates more than it is asked for.
    /// </summary>
    public bool PunchStrays()
    {
        if (!_spans.HasStrays) return true;
        lock (_strays)
        {
            var stray = _spans.StrayBytes();
            _spans.PunchUnused();
            for (uint span = 0; span < _spans.HighWater; span++)
            {
                ref var entry = ref _spans.Table[span];
                var (kind, sizeClass) = (entry.Kind, entry.Class);
                if (kind == SpanKind.Free)
                {
                    _spans.PunchEmpty(span);
                    continue;
                }
                if (kind > SpanKind.Dictionaries || sizeClass >= SizeClasses.Count) continue;
                ref var state = ref State(kind, sizeClass);
                SpinLatch.Enter(ref state.Latch, LatchRank.Class);
                if (entry.Kind == kind && entry.Class == sizeClass) _spans.PunchBeyond(span);
                SpinLatch.Exit(ref state.Latch);
            }
            _spans.NotePunched(stray - Math.Max(0, _spans.StrayBytes()));
            return !_spans.HasStrays;
        }
    }
}
