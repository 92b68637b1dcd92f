using System.Runtime.InteropServices;

namespace Tmem.MicroBenchmarks;

/// <summary>
/// Pages that shrink to about two fifths, as real memory does: pointers near each other, small numbers, and some noise.
/// </summary>
internal static class SamplePages
{
    public const int Count = 256;

    public static byte[][] Make()
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, Count).Select(_ => One(random))];
    }

    private static byte[] One(Random random)
    {
        var page = new byte[TmemClient.PageSize];
        var words = MemoryMarshal.Cast<byte, ulong>(page.AsSpan());
        var heap = 0x7F00_0000_0000UL + (ulong)random.Next() * 16;
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = random.Next(8) switch
            {
                < 3 => heap + (ulong)random.Next(4096) * 8,
                < 6 => (ulong)random.Next(16),
                6 => i > 0 ? words[random.Next(i)] : 0,
                _ => (ulong)random.NextInt64(),
            };
        }
        return page;
    }
}
