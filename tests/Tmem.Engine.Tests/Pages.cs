using System.Runtime.InteropServices;

namespace Tmem.Engine.Tests;

/// <summary>Test pages that can be made again from their seed and size.</summary>
internal static class Pages
{
    public const int Size = TmemClient.PageSize;

    /// <summary>A page that shrinks to roughly a third: runs of a seed-dependent text.</summary>
    public static byte[] Text(int seed, int size = Size)
    {
        var page = new byte[size];
        var random = new Random(seed);
        for (var i = 0; i < size;)
        {
            var length = Math.Min(random.Next(8, 40), size - i);
            if (i > 64 && random.Next(3) != 0)
                page.AsSpan(random.Next(0, i - length > 0 ? i - length : 1), length).CopyTo(page.AsSpan(i));
            else random.NextBytes(page.AsSpan(i, length));
            i += length;
        }
        return page;
    }

    /// <summary>A page that does not shrink.</summary>
    public static byte[] Random(int seed, int size = Size)
    {
        var page = new byte[size];
        new Random(seed).NextBytes(page);
        return page;
    }

    /// <summary>A page of one repeated word.</summary>
    public static byte[] Filled(ulong word, int size = Size)
    {
        var page = new byte[size];
        MemoryMarshal.Cast<byte, ulong>(page.AsSpan()).Fill(word);
        return page;
    }

    /// <summary>One of the kinds above, by seed.</summary>
    public static byte[] Any(int seed, int size = Size) => (seed % 5) switch
    {
        0 => Filled((ulong)seed * 0x0101_0101_0101_0101, size),
        1 => Random(seed, size),
        _ => Text(seed, size),
    };
}
