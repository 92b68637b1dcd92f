using System.Globalization;

namespace Tmem.Ctl.Swap;

/// <summary>
/// What "swap on" notes, of a file in an attribute that only root can set and of a loop device in its name: that it is ours, in which pool, and whether
/// the pool was made for it. "swap off" removes what bears this, lies on the mount and belongs to root, and nothing else: a name proves nothing.
/// </summary>
internal static class SwapMark
{
    private const string Before = "tmem swap, pool ", Made = ", made for it", Kept = ", kept";

    /// <summary>The words: "tmem swap, pool 1026, made for it".</summary>
    public static string Of(uint pool, bool made) => Before + pool.ToString(CultureInfo.InvariantCulture) + (made ? Made : Kept);

    /// <summary>Reads them.</summary>
    public static bool TryRead(string? text, out uint pool, out bool made)
    {
        (pool, made) = (0, false);
        if (text is null || !text.StartsWith(Before, StringComparison.Ordinal)) return false;
        made = text.EndsWith(Made, StringComparison.Ordinal);
        var end = made ? Made : Kept;
        return text.Length > Before.Length + end.Length && text.EndsWith(end, StringComparison.Ordinal)
            && uint.TryParse(text.AsSpan(Before.Length, text.Length - Before.Length - end.Length), CultureInfo.InvariantCulture, out pool);
    }
}
