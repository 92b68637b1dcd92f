using System.Runtime.CompilerServices;

namespace Tmem.Engine.Format;

/// <summary>
/// A page's use, three bits of its slot's header, derived state:
/// <code>
/// | kept : 1 | uses : 2 |
/// </code>
/// A page starts as a newcomer (0). Gets count up to three uses; a passing hand counts them down again, and makes a newcomer with
/// a use a kept page.
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
