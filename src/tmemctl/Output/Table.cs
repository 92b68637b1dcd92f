using Spectre.Console;
using Spectre.Console.Rendering;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Output;

/// <summary>
/// Tables without borders: columns two spaces apart, never wrapped, colour codes only on a terminal, so that piped output is
/// always the same bytes and awk finds its columns.
/// </summary>
internal static class Table
{
    private const int NeverWrap = 4096;

    /// <summary>
    /// Writes rows under headings. Columns whose heading ends in '&gt;' are aligned to the right (the sign is not printed).
    /// </summary>
    public static void Write(TextWriter output, IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = Bare();
        foreach (var heading in headings)
        {
            var right = heading.EndsWith('>');
            var column = new TableColumn(new Text(right ? heading[..^1] : heading,
                new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) };
            table.AddColumn(right ? column.RightAligned() : column);
        }
        foreach (var row in rows) table.AddRow(row.Select(Cell));
        Render(output, table);
    }

    /// <summary>Writes names and values in two columns.</summary>
    public static void WritePairs(TextWriter output, IEnumerable<(string Name, string Value)> pairs)
    {
        var table = Bare();
        table.ShowHeaders = false;
        table.AddColumn(new TableColumn("") { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        table.AddColumn(new TableColumn("") { NoWrap = true, Padding = new Padding(0, 0, 0, 0) });
        foreach (var (name, value) in pairs) table.AddRow(Cell(name), Cell(value));
        Render(output, table);
    }

    /// <inheritdoc cref="Usage.Printable"/>
    public static string Printable(string text) => SafeText.Printable(text);

    /// <summary>Whether a writer is this process's standard output, and that a terminal.</summary>
    public static bool IsTerminal(TextWriter output) =>
        ReferenceEquals((output as ResultWriter)?.Inner, Console.Out) && !Console.IsOutputRedirected;

    private static Spectre.Console.Table Bare() => new() { Border = TableBorder.None };

    private static OneLine Cell(string text) => new(Printable(text));

    /// <summary>
    /// A cell that is never wrapped and has no style: the library's own looks for both in every one, and takes three times as
    /// long for it, 60 ms for all pools that a store can have.
    /// </summary>
    private sealed class OneLine(string text) : IRenderable
    {
        private readonly int _width = Cells.Width(text);

        public Measurement Measure(RenderOptions options, int maxWidth) => new(_width, _width);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
            options.Justification == Justify.Right && maxWidth > _width
                ? [Segment.Padding(maxWidth - _width), new Segment(text)] : [new Segment(text)];
    }

    private static void Render(TextWriter output, IRenderable table)
    {
        var person = IsTerminal(output) && Environment.GetEnvironmentVariable("NO_COLOR") is null;
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = person ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = NeverWrap;
        console.Write(table);
        foreach (var line in text.ToString().TrimEnd().Split('\n')) output.WriteLine(line.TrimEnd());
    }
}
