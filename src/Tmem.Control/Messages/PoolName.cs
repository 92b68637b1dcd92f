using System.Globalization;
using System.Text;

namespace Tmem.Control.Messages;

/// <summary>
/// The names that a pool can have: file names, and from the management only those that a person can see and type. Both ends
/// check: the client to save the request of a mistake, the daemon because other programs can write to its socket.
/// </summary>
internal static class PoolName
{
    /// <summary>Longest name, in bytes of UTF-8.</summary>
    public const int Longest = 255;

    /// <summary>Stands for bytes of a name that are not UTF-8.</summary>
    public const char NoUtf8 = '\uFFFD';

    /// <summary>Why no pool can have this name, and the remedy; null if one can.</summary>
    public static (string Problem, string Remedy)? Impossible(string? name)
    {
        if (string.IsNullOrEmpty(name)) return ("the pool's name is missing or empty", "name the pool");
        if (Encoding.UTF8.GetByteCount(name) is > Longest and var bytes)
            return ($"the pool's name has {bytes} bytes", $"use at most {Longest}");
        return name is "." or ".." || name.AsSpan().IndexOfAny('/', '\0') >= 0
            ? ($"pool name '{SafeText.Printable(name)}' is no file name", "use a name other than . and .., without '/' and NUL")
            : null;
    }

    /// <summary>
    /// Why a new pool is not given this name, though mkdir could: it cannot be shown as it is, cannot be told from another, or is
    /// not the name that was typed.
    /// </summary>
    public static (string Problem, string Remedy)? Unshowable(string name)
    {
        var shown = $"pool name '{SafeText.Printable(name)}'";
        if (name.All(IsBlank)) return ($"{shown} consists of blanks only", "use a name that can be seen");
        foreach (var letter in name)
        {
            if (char.IsControl(letter))
                return ($"{shown} has a control character in it (U+{(int)letter:X4})", "use a name without control characters");
            if (TurnsDirection(letter))
                return ($"{shown} has a character in it that turns the direction of text (U+{(int)letter:X4})",
                    "use a name without");
        }
        return name.Contains(NoUtf8) ? ($"{shown} is not UTF-8", "use a name in UTF-8, without U+FFFD") : null;
    }

    private static bool IsBlank(char letter) => char.IsWhiteSpace(letter)
        || (letter >= 128 && char.GetUnicodeCategory(letter) == UnicodeCategory.Format);

    private static bool TurnsDirection(char letter) => letter is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');
}
