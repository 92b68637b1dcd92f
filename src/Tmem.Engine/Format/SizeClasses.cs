namespace Tmem.Engine.Format;

/// <summary>
/// The slot sizes of slabs, multiples of 16 that grow by 2 % (by 4 % above a raw 4 KiB page): a stored page loses 1 % to
/// rounding. Finer steps lose less to rounding and more to the classes' last spans, which are on average half a page short of
/// full (see docs/memory.md); powers of two would lose a quarter. The sizes of raw pages, 4 to 64 KiB and their header, are
/// classes of their own.
/// <para>Two more classes, for one kind each: radix nodes and objects, whose sizes are fixed.</para>
/// </summary>
internal static class SizeClasses
{
    private const int Step = 16;
    private const int Smallest = 32;

    /// <summary>
    /// Exact for every offset in a span (2^20) and every size (below 2^17), because their product is below 2^40.
    /// </summary>
    private const int ReciprocalShift = 40;

    private static readonly int[] s_sizes = Build();
    private static readonly ulong[] s_reciprocals =
        [.. s_sizes.Select(size => ((1UL << ReciprocalShift) + (ulong)size - 1) / (ulong)size)];
    private static readonly byte[] s_bySize = BuildLookup();

    public static readonly int General = s_sizes.Length - 2;
    public static readonly int Node = General;
    public static readonly int Object = General + 1;
    public static readonly int Count = General + 2;

    /// <summary>The largest slot: a raw page of 64 KiB.</summary>
    public static readonly int Largest = s_sizes[General - 1];

    public static int Size(int sizeClass) => s_sizes[sizeClass];

    public static int SlotsPerSpan(int sizeClass) => RegionLayout.SpanBytes / s_sizes[sizeClass];

    /// <summary>
    /// The number of the slot at an offset in a span: a multiplication, where a division takes five times as long.
    /// </summary>
    public static int SlotAt(int sizeClass, ulong offset) => (int)(offset * s_reciprocals[sizeClass] >> ReciprocalShift);

    /// <summary>The smallest class that holds this many bytes.</summary>
    public static int For(int bytes) => s_bySize[(bytes + 15) >> 4];

    private static int[] Build()
    {
        var sizes = new List<int> { Smallest };
        for (var page = RegionLayout.PageSize; page <= RegionLayout.LargestPageSize; page *= 2)
        {
            var raw = (page + SlotHeader.Bytes + Step - 1) & ~(Step - 1);
            var growth = page == RegionLayout.PageSize ? 1.02 : 1.04;
            while (true)
            {
                var next = Math.Max(sizes[^1] + Step, (int)(sizes[^1] * growth) & ~(Step - 1));
                if (next >= raw) break;
                sizes.Add(next);
            }
            sizes.Add(raw);
        }
        sizes.Add(RadixNode.Bytes);
        sizes.Add(ObjectRecord.Bytes);
        return [.. sizes];
    }

    private static byte[] BuildLookup()
    {
        var general = s_sizes.AsSpan(0, s_sizes.Length - 2);
        var lookup = new byte[(general[^1] >> 4) + 1];
        var current = 0;
        for (var i = 0; i < lookup.Length; i++)
        {
            while (general[current] < i << 4) current++;
            lookup[i] = (byte)current;
        }
        return lookup;
    }
}
