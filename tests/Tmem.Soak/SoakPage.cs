using System.Runtime.InteropServices;

namespace Tmem.Soak;

/// <summary>
/// Pages that are made from, and recognised by, a number and the handle they are put under. One in eight is same-filled, one in
/// eight does not shrink, the others shrink to between a tenth and nine tenths, so that every size class is used.
/// </summary>
internal static class SoakPage
{
    public const int Size = TmemClient.PageSize;

    /// <summary>What kind of page a number makes.</summary>
    public static bool DoesNotShrink(long number) => (number & 7) == 1;

    /// <summary>A page for a handle that only its owner touches: the owner knows the number.</summary>
    public static void Make(Span<byte> page, ulong handle, long number)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(page);
        var start = Mix(handle ^ Mix((ulong)number));
        if ((number & 7) == 0)
        {
            words.Fill(start);
            return;
        }
        // The first words that are told apart, the others repeated: the more of the first, the less the page shrinks.
        var distinct = DoesNotShrink(number) ? words.Length : (int)(start % 10 + 1) * words.Length / 11;
        for (var i = 0; i < distinct; i++) words[i] = Mix(start + (ulong)i);
        words[distinct..].Fill(start);
    }

    /// <summary>A page for a handle that everybody touches: it says itself what it must be.</summary>
    public static void MakeTelling(Span<byte> page, ulong handle, long number)
    {
        Make(page, handle, number);
        MemoryMarshal.Write(page, handle);
        MemoryMarshal.Write(page[8..], number);
    }

    /// <summary>Whether a page is one that was made with <see cref="MakeTelling"/> for this handle.</summary>
    public static bool IsTold(ReadOnlySpan<byte> page, ulong handle, Span<byte> room)
    {
        MakeTelling(room, handle, MemoryMarshal.Read<long>(page[8..]));
        return page.SequenceEqual(room);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
