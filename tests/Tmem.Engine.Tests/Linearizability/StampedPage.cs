using System.Runtime.InteropServices;

namespace Tmem.Engine.Tests.Linearizability;

/// <summary>
/// Pages that are numbers: each call puts a page that nobody else ever puts, and a mixture of two pages is detected. A quarter
/// each is same-filled, does not shrink, or shrinks to two sizes, so that pages that follow one another lie in slots of different
/// classes or in none.
/// </summary>
internal static class StampedPage
{
    /// <summary>A page that nobody put.</summary>
    public const long Torn = -1;

    public static void Write(Span<byte> page, long number)
    {
        var words = MemoryMarshal.Cast<byte, long>(page);
        for (var i = 0; i < words.Length; i++) words[i] = Word(number, i);
    }

    public static long Read(ReadOnlySpan<byte> page)
    {
        var words = MemoryMarshal.Cast<byte, long>(page);
        var number = words[0];
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] != Word(number, i)) return Torn;
        }
        return number;
    }

    private static long Word(long number, int i) => (number & 3) switch
    {
        0 => number,
        1 => i == 0 ? number : Mix(number + i),
        2 => number + i / 8,
        _ => i % 4 == 3 ? Mix(number + i) : number,
    };

    private static long Mix(long number)
    {
        var z = (ulong)number * 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        return (long)(z ^ (z >> 27));
    }
}
