using System.Globalization;

namespace Tmem.Ctl.Swap;

/// <summary>
/// The note of "swap on", in an attribute of a file that only root can set and in the name of a loop device: that it is ours, in
/// which pool, and whether the pool was made for it. "swap off" removes only what bears this mark, is on the mount and belongs to
/// root: a name proves nothing.
/// </summary>
/// <param name="Pool">The pool's number.</param>
/// <param name="Made">Whether the pool was made for it.</param>
internal readonly record struct SwapMark(uint Pool, bool Made)
{
    private const string Start = "tmem swap, pool ", MadeEnd = ", made for it", KeptEnd = ", kept";

    /// <summary>The text: "tmem swap, pool 1026, made for it".</summary>
    public string Text => Start + Pool.ToString(CultureInfo.InvariantCulture) + (Made ? MadeEnd : KeptEnd);

    /// <summary>Parses the text.</summary>
    public static bool TryRead(string? text, out SwapMark mark)
    {
        mark = default;
        if (text is null || !text.StartsWith(Start, StringComparison.Ordinal)) return false;
        var made = text.EndsWith(MadeEnd, StringComparison.Ordinal);
        var digits = text.Length - Start.Length - (made ? MadeEnd : KeptEnd).Length;
        if (digits <= 0 || !uint.TryParse(text.AsSpan(Start.Length, digits), NumberStyles.None, CultureInfo.InvariantCulture,
            out var pool)) return false;
        mark = new SwapMark(pool, made);
        return mark.Text == text;
    }
}
