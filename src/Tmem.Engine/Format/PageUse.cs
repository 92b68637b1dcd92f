using System.Runtime.CompilerServices;

namespace Tmem.Engine.Format;

/// <summary>
/// A page's use, three bits of its slot's header, derived state:
/// <code>
/// | 1 | uses : 2     |  a kept page
/// | 0 | standing : 2 |  a page on probation: 0 new, 1 returned, 2 demoted, 3 used
/// </code>
/// An ephemeral page starts on probation, as one that has <i>returned</i> if it was evicted not long ago. Gets count a kept
/// page's uses up to three, and the hand counts them down; a kept page without any is <i>demoted</i> to probation. There one get
/// is enough. Persistent pages are kept ones.
/// </summary>
internal static class PageUse
{
    public const byte New = 0;
    public const byte Returned = 1;
    public const byte Demoted = 2;
    public const byte Used = 3;
    public const byte Kept = 4;

    /// <summary>
    /// Uses are counted up to this. One bit costs 0.3 points of hit ratio on Zipf traces; a fourth use is worth nothing and takes
    /// longer to forget.
    /// </summary>
    public const byte MostUses = 3;

    /// <summary>
    /// Uses since they were last counted down. Of a page on probation it is known only whether there was one: that may have been
    /// many.
    /// </summary>
    public static int Uses(byte use) => (use & Kept) != 0 ? use & MostUses : use == Used ? MostUses : 0;

    /// <summary>The use of a page that was not used, when it is stored in another form.</summary>
    public static byte Unused(byte use) => (use & Kept) != 0 ? Kept : use == Used ? New : use;

    /// <summary>One more use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Counted(byte use) =>
        (use & Kept) == 0 ? Used : (use & MostUses) < MostUses ? (byte)(use + 1) : use;
}
