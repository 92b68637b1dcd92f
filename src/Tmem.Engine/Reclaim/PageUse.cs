using System.Runtime.CompilerServices;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// What a slot's header knows of a page's use, one byte, derived state:
/// <code>
/// | kept : 1 | 0 : 5 | uses : 2 |
/// </code>
/// A page comes in as a newcomer (0). Gets count up to three uses; a hand that passes takes them down again, and a newcomer that was used
/// becomes a kept page.
/// </summary>
internal static class PageUse
{
    public const byte Kept = 0x80;

    /// <summary>
    /// Uses are counted up to this. One bit costs 0.3 points of hit ratio on Zipf traces; a fourth use is worth nothing and takes longer to
    /// forget.
    /// </summary>
    public const byte MostUses = 3;

    /// <summary>One more use. A get's only trace, so at the limit nothing is stored and the line stays clean.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Count(ref byte use)
    {
        if ((use & MostUses) < MostUses) use++;
    }
}
