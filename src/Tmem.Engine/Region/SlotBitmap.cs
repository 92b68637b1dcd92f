using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// The slots that a walk over the index has reached: one bit for each slot of every used span, in native memory (8 million pages
/// are a megabyte). Valid while no span changes hands.
/// </summary>
internal sealed unsafe class SlotBitmap : IDisposable
{
    private readonly SpanPool _spans;
    private readonly long* _firstBit;
    private readonly ulong* _bits;

    public SlotBitmap(SpanPool spans)
    {
        _spans = spans;
        _firstBit = (long*)NativeMemory.AllocZeroed((nuint)(spans.HighWater + 1), sizeof(long));
        long bits = 0;
        for (uint span = 0; span < spans.HighWater; span++)
        {
            _firstBit[span] = bits;
            ref var entry = ref spans.Table[span];
            if (entry.Kind != SpanKind.Free) bits += SizeClasses.SlotsPerSpan(entry.Class);
        }
        _bits = (ulong*)NativeMemory.AllocZeroed((nuint)(bits / 64 + 1), sizeof(ulong));
    }

    /// <summary>Marks a slot. False if it was marked already.</summary>
    public bool Add(ulong place)
    {
        var bit = BitOf(place);
        var mask = 1UL << (int)(bit & 63);
        var isNew = (_bits[bit >> 6] & mask) == 0;
        _bits[bit >> 6] |= mask;
        return isNew;
    }

    public bool Contains(ulong place)
    {
        var bit = BitOf(place);
        return (_bits[bit >> 6] >> (int)(bit & 63) & 1) != 0;
    }

    public void Dispose()
    {
        NativeMemory.Free(_firstBit);
        NativeMemory.Free(_bits);
    }

    private long BitOf(ulong place)
    {
        var span = _spans.SpanOf(place);
        return _firstBit[span] + SizeClasses.SlotAt(_spans.Table[span].Class, place - _spans.PlaceOf(span));
    }
}
