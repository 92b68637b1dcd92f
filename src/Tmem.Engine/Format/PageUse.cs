using System.Runtime.CompilerServices;

namespace Tmem.Engine.Format;

/// <summary>
/// What a slot's header knows of a page's use, three bits, derived state:
/// <code>
/// | kept : 1 | uses : 2 |
/// </code>
/// A page comes in as a newcomer (0). Gets count up to three uses; a hand that passes takes them down again, and a newcomer that
/// was used becomes a kept page.
/// </summary>
internal static class PageUse
{
    public const byte Kept = 4;

    /// <summary>
    /// Uses are counted up to this. One bit costs 0.3 points of hit ratio on Zipf traces; a fourth use is worth nothing and takes
    /// longer to forget.
    /// </summary>
    public const byte MostUses = 3;

    /// <summary>One more use, up to <see cref="MostUses"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Counted(byte use) => (use & MostUses) < MostUses ? (byte)(use + 1) : use;
}
