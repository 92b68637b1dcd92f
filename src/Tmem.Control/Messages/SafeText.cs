using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tmem.Control.Messages;

/// <summary>Makes text that others chose safe to show.</summary>
internal static class SafeText
{
    /// <summary>
    /// Text safe for a terminal and for a line of a log: control characters, and those that are invisible or change the direction
    /// of text, become escapes.
    /// </summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsUnsafe)) return text;
        var result = new StringBuilder(text.Length + 16);
        foreach (var letter in text)
        {
            if (!IsUnsafe(letter)) result.Append(letter);
            else if (letter == '\n') result.Append("\\n");
            else if (letter == '\t') result.Append("\\t");
            else result.Append(letter < 256 ? "\\x" : "\\u")
                .Append(((int)letter).ToString(letter < 256 ? "x2" : "x4", CultureInfo.InvariantCulture));
        }
        return result.ToString();
    }

    /// <summary>Bytes that should be UTF-8, as text: those that are not become escapes.</summary>
    public static string OfBytes(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length + 16);
        while (bytes.Length > 0)
        {
            if (Rune.DecodeFromUtf8(bytes, out var letter, out var length) == OperationStatus.Done) text.Append(letter);
            else foreach (var bad in bytes[..length]) text.Append(CultureInfo.InvariantCulture, $"\\x{bad:x2}");
            bytes = bytes[length..];
        }
        return text.ToString();
    }

    private static bool IsUnsafe(char letter) => char.IsControl(letter)
        || (letter >= 128 && char.GetUnicodeCategory(letter) is UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator);
}
