namespace Tmem.Engine.Region;

/// <summary>
/// The slot sizes of slabs. Above 1,456 bytes a class is what a span divides into by a whole number (65,536 / n, rounded down to 16), so
/// that no span has a tail; below, where those lie closer than anyone needs, steps of 32 bytes. A page compressed to 1,557 bytes (4 KiB
/// at the 2.63 of real memory) so loses 17 bytes on average to rounding; powers of two would lose a quarter.
/// <para>Two more classes, for one kind each: radix nodes and objects, whose sizes are fixed.</para>
/// </summary>
internal static class SizeClasses
{
    private const int Step = 32;
    private const int LargestStepped = 1440;
    private const int FewestSlots = 2;

    private static readonly int[] s_sizes = Build();
    private static readonly byte[] s_bySize = BuildLookup();

    public static readonly int General = s_sizes.Length - 2;
    public static readonly int Node = General;
    public static readonly int Object = General + 1;
    public static readonly int Count = General + 2;

    /// <summary>The largest slot: half a span.</summary>
    public static readonly int Largest = s_sizes[General - 1];

    public static int Size(int sizeClass) => s_sizes[sizeClass];

    public static int SlotsPerSpan(int sizeClass) => RegionLayout.SpanBytes / s_sizes[sizeClass];

    /// <summary>The smallest class that holds so many bytes.</summary>
    public static int For(int bytes) => s_bySize[(bytes + 15) >> 4];

    private static int[] Build()
    {
        var sizes = new List<int>();
        for (var size = Step; size <= LargestStepped; size += Step) sizes.Add(size);
        for (var slots = RegionLayout.SpanBytes / LargestStepped; slots >= FewestSlots; slots--)
        {
            var size = RegionLayout.SpanBytes / slots & ~15;
            if (size > sizes[^1]) sizes.Add(size);
        }
        sizes.Add(Index.RadixNode.Bytes);
        sizes.Add(Index.ObjectRecord.Bytes);
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
