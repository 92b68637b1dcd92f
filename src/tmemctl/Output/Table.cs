using System.Text;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Output;

/// <summary>
/// Tables without borders: columns two spaces apart, never wrapped, colour codes only on a terminal, so that piped output is
/// always the same bytes and awk finds its columns. Spectre.Console's tables did the same in 60 ms for all the pools that a store
/// can have, in which each cell is looked at for styles and line breaks; this takes one.
/// </summary>
internal static class Table
{
    private const string Bold = "\e[1m", Plain = "\e[0m";

    /// <summary>
    /// Writes rows under headings. Columns whose heading ends in '&gt;' are aligned to the right (the sign is not printed).
    /// </summary>
    public static void Write(TextWriter output, IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        bool[] isRight = [.. headings.Select(heading => heading.EndsWith('>'))];
        var isBold = IsTerminal(output) && Environment.GetEnvironmentVariable("NO_COLOR") is null;
        var isHead = true;
        foreach (var line in LayOut([headings.Select(heading => heading.TrimEnd('>')).ToList(), .. rows], isRight))
        {
            output.WriteLine(isHead && isBold ? Bold + line + Plain : line);
            isHead = false;
        }
    }

    /// <summary>Writes names and values in two columns.</summary>
    public static void WritePairs(TextWriter output, IEnumerable<(string Name, string Value)> pairs)
    {
        foreach (var line in LayOut([.. pairs.Select(pair => (string[])[pair.Name, pair.Value])], [false, false]))
            output.WriteLine(line);
    }

    /// <inheritdoc cref="Usage.Printable"/>
    public static string Printable(string text) => SafeText.Printable(text);

    /// <summary>Whether a writer is this process's standard output, and that a terminal.</summary>
    public static bool IsTerminal(TextWriter output) =>
        ReferenceEquals((output as ResultWriter)?.Inner, Console.Out) && !Console.IsOutputRedirected;

    /// <summary>Whether a writer is this process's standard error, and that a terminal.</summary>
    public static bool IsErrorTerminal(TextWriter error) =>
        ReferenceEquals((error as ResultWriter)?.Inner, Console.Error) && !Console.IsErrorRedirected;

    private static IEnumerable<string> LayOut(IReadOnlyList<IReadOnlyList<string>> rows, bool[] isRight)
    {
        List<(string Text, int Width)[]> cells =
            [.. rows.Select(row => row.Select(Printable).Select(text => (text, Cells.Width(text))).ToArray())];
        int[] widths = [.. isRight.Select((_, column) => cells.Select(row => row[column].Width).DefaultIfEmpty().Max())];
        var line = new StringBuilder();
        foreach (var row in cells)
        {
            line.Clear();
            for (var column = 0; column < row.Length; column++)
            {
                var (text, width) = row[column];
                if (column > 0) line.Append("  ");
                if (isRight[column]) line.Append(' ', widths[column] - width).Append(text);
                else line.Append(text).Append(' ', widths[column] - width);
            }
            yield return line.ToString().TrimEnd();
        }
    }
}
