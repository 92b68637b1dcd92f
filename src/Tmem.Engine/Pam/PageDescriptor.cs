using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Engine.Pam;

/// <summary>
/// The 64 bits the index keeps for a page.
/// <code>
/// 0                  no page
/// 1 .. 2^44 - 1      a slot: its place / 16
/// 2^44 and above     a same-filled page: its 8-byte word XOR <see cref="FillKey"/>
/// </code>
/// The slots' range is small, so all but one in a million of the 2^64 possible words fit into the descriptor beside it. The key is chosen
/// so that the words left out (top 20 bits 0x7FF5A, a corner of the doubles that are not numbers) are of no use to anyone; such a page
/// is compressed like any other.
/// </summary>
internal static class PageDescriptor
{
    public const ulong SlotLimit = 1UL << 44;
    private const ulong FillKey = 0x7FF5_A000_0000_0000;

    public static bool IsSlot(ulong descriptor) => descriptor - 1 < SlotLimit - 1;
    public static bool IsFill(ulong descriptor) => descriptor >= SlotLimit;
    public static ulong FromSlot(ulong place) => place >> 4;
    public static ulong Slot(ulong descriptor) => descriptor << 4;
    public static ulong FillWord(ulong descriptor) => descriptor ^ FillKey;

    /// <summary>The descriptor of a page all of whose words are this one; 0 if the word is one of those left out.</summary>
    public static ulong FromFill(ulong word)
    {
        var descriptor = word ^ FillKey;
        return IsFill(descriptor) ? descriptor : 0;
    }

    /// <summary>True if all 8-byte words of a page are equal. The first words decide for almost every page that is not.</summary>
    public static bool IsSameFilled(ReadOnlySpan<byte> page, out ulong word)
    {
        word = MemoryMarshal.Read<ulong>(page);
        if (MemoryMarshal.Read<ulong>(page[^8..]) != word) return false;
        var vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(page);
        var expected = new Vector<ulong>(word);
        ref var first = ref MemoryMarshal.GetReference(vectors);
        for (var i = 0; i < vectors.Length; i++)
        {
            if (!Vector.EqualsAll(Unsafe.Add(ref first, i), expected)) return false;
        }
        return true;
    }
}
