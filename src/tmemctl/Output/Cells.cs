using System.Globalization;
using System.Text;
using Spectre.Console.Rendering;

namespace Tmem.Ctl.Output;

/// <summary>
/// The room that text takes on a terminal, in cells: a letter of East Asia takes two, an accent that goes with a letter none.
/// Text is cut between whole letters, with all that goes with them.
/// </summary>
internal static class Cells
{
    private const string More = "…";

    /// <summary>How many it takes.</summary>
    public static int Width(string text) => Ascii.IsValid(text) ? text.Length : new Segment(text).CellCount();

    /// <summary>As much of the beginning as so many cells hold.</summary>
    public static string Cut(string text, int width)
    {
        if (width <= 0) return "";
        if (text.Length <= width && Ascii.IsValid(text)) return text;
        var (cells, at) = (0, 0);
        while (at < text.Length)
        {
            var length = StringInfo.GetNextTextElementLength(text, at);
            cells += Width(text.Substring(at, length));
            if (cells > width) break;
            at += length;
        }
        return text[..at];
    }

    /// <summary>The same with a sign that there is more, if there is.</summary>
    public static string Shorten(string text, int width) =>
        Cut(text, width) is { } all && all.Length == text.Length ? text : Cut(text, width - 1) + More;
}
