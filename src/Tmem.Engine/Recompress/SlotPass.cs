using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Recompress;

/// <summary>
/// A pass over all slots of pages, the largest first, because they have most to give. The order of spans is taken at its
/// beginning; what comes into use meanwhile waits for the next pass.
/// </summary>
internal sealed unsafe class SlotPass(SpanPool spans)
{
    private ulong[] _order = [];
    private int _count;
    private int _at;
    private int _slot;

    /// <summary>Whether a pass is under way.</summary>
    public bool IsOn => _at < _count;

    public void Begin()
    {
        if (_order.Length < spans.HighWater) _order = new ulong[spans.HighWater + spans.HighWater / 4];
        _count = _at = _slot = 0;
        for (uint span = 0; span < spans.HighWater && _count < _order.Length; span++)
        {
            if (IsOfPages(spans.Table[span])) _order[_count++] = (ulong)(byte)~spans.Table[span].Class << 32 | span;
        }
        Array.Sort(_order, 0, _count);
    }

    /// <summary>The next slot that was ever used; 0 when the pass has ended.</summary>
    public ulong Next()
    {
        for (; _at < _count; _at++, _slot = 0)
        {
            var span = (uint)_order[_at];
            ref var entry = ref spans.Table[span];
            if (IsOfPages(entry) && _slot < entry.Bump)
                return spans.PlaceOf(span) + (ulong)((long)_slot++ * SizeClasses.Size(entry.Class));
        }
        return 0;
    }

    private static bool IsOfPages(in SpanEntry entry) =>
        entry.Kind is SpanKind.PersistentPages or SpanKind.EphemeralPages && entry.Class < SizeClasses.General;
}
