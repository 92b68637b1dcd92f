using System.Numerics;

namespace Tmem.Engine.Format;

/// <summary>
/// The 64 bits the index keeps for a page.
/// <code>
/// 0                                                           no page
/// | 0 | format : 3 | stored length - 1 : 16 | age : 2 | place / 16 : 42 |   a slot, and what is stored in it
/// | 1 | check : 30 | doubled : 1 | word : 32 |                a same-filled page: its 8-byte word is this one, in both
///                                                             halves or (not doubled) in the lower half alone
/// </code>
/// Length and format are here and not in the slot, so that a page can be overwritten or flushed, and accounted for, without
/// reading its slot: in a large store that is cold memory, 200 to 400 ns away.
/// <para>A slot has a checksum over the stored bytes, their length and format; a fill word has the check, so that a damaged
/// descriptor is invalid, and never another page: 2^-30 of all damages pass, none of one or two bits. It leaves no room for
/// 64-bit words without a pattern; a page of such a word is compressed like any other (to some 30 bytes).</para>
/// <para>The age (<see cref="PageAge"/>) is what the recompressor knows of a page: it is 0 for a page just stored, moves with the
/// page, and means nothing to anybody else.</para>
/// </summary>
internal static class PageDescriptor
{
    private const int AgeShift = 42;
    private const int PlaceBits = 44;
    private const int LengthBits = 16;
    private const ulong PlaceMask = (1UL << AgeShift) - 1;
    private const ulong AgeMask = (1UL << PlaceBits) - 1 - PlaceMask;
    private const ulong FillMark = 1UL << 63;
    private const ulong Doubled = 1UL << 32;
    private const int CheckShift = 33;
    private const ulong PayloadMask = (1UL << CheckShift) - 1;

    public static bool IsSlot(ulong descriptor) => (descriptor & FillMark) == 0 && (descriptor & PlaceMask) != 0;
    public static bool IsFill(ulong descriptor) => Sealed(descriptor & PayloadMask) == descriptor;

    public static ulong FromSlot(ulong place, int length, int format) =>
        place >> 4 | (ulong)(uint)(length - 1) << PlaceBits | (ulong)(uint)format << PlaceBits + LengthBits;

    public static ulong Slot(ulong descriptor) => (descriptor & PlaceMask) << 4;
    public static int Length(ulong descriptor) => (ushort)(descriptor >> PlaceBits) + 1;
    public static int Format(ulong descriptor) => (int)(descriptor >> PlaceBits + LengthBits) & 7;
    public static PageAge Age(ulong descriptor) => (PageAge)((descriptor & AgeMask) >> AgeShift);

    /// <summary>The same page of another age.</summary>
    public static ulong OfAge(ulong descriptor, PageAge age) => descriptor & ~AgeMask | (ulong)age << AgeShift;

    /// <summary>Whether a word, not yet validated, names the slot at this place.</summary>
    public static bool IsAt(ulong word, ulong place) => IsSlot(word) && Slot(word) == place;

    /// <summary>The same page in another slot.</summary>
    public static ulong MovedTo(ulong descriptor, ulong place) => descriptor & ~PlaceMask | place >> 4;

    public static ulong FillWord(ulong descriptor) => (uint)descriptor * ((descriptor & Doubled) != 0 ? 0x1_0000_0001UL : 1);

    /// <summary>The descriptor of a page filled with this word; 0 if it has no room for the word.</summary>
    public static ulong FromFill(ulong word)
    {
        var low = (uint)word;
        if (word == low) return Sealed(low);
        return word == low * 0x1_0000_0001UL ? Sealed(low | Doubled) : 0;
    }

    private static ulong Sealed(ulong payload) =>
        FillMark | (ulong)(BitOperations.Crc32C(uint.MaxValue, payload) & 0x3FFF_FFFF) << CheckShift | payload;
}
