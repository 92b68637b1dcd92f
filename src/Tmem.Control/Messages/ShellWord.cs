using System.Globalization;
using System.Text;

namespace Tmem.Control.Messages;

/// <summary>
/// A word quoted for a shell. With backslashes, as bash's printf %q does, not in quotes: messages put a command line in quotes of
/// their own.
/// </summary>
internal static class ShellWord
{
    private const string Plain = "/._-+,:=@%";

    /// <summary>The word; one with control characters as $'...', so that none of them reaches the terminal.</summary>
    public static string Of(string text)
    {
        if (text.Length == 0) return "''";
        var word = new StringBuilder(text.Length + 16);
        if (text.Any(char.IsControl))
        {
            word.Append("$'");
            foreach (var letter in text)
            {
                if (char.IsControl(letter)) word.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
                else if (letter is '\'' or '\\') word.Append('\\').Append(letter);
                else word.Append(letter);
            }
            return word.Append('\'').ToString();
        }
        foreach (var letter in text)
        {
            if (letter < 128 && !char.IsLetterOrDigit(letter) && !Plain.Contains(letter)) word.Append('\\');
            word.Append(letter);
        }
        return word.ToString();
    }
}
