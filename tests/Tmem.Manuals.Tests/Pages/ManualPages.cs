using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Manuals.Tests.Pages;

/// <summary>
/// The manual pages: packaging/man/NAME.in is troff that a person has written, with lines "@NAME argument@" for what the programs
/// tell; packaging/man/NAME is the page.
/// </summary>
internal static partial class ManualPages
{
    private const string SourceEnd = ".in";

    public static string Folder { get; } = Path.Combine(Repository.Root, "packaging", "man");

    /// <summary>"tmemctl.8" and the others.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Directory.EnumerateFiles(Folder, "*" + SourceEnd)
        .Select(file => Path.GetFileName(file)[..^SourceEnd.Length]).Order(StringComparer.Ordinal)];

    private static string Version { get; } = VersionLine().Match(
        File.ReadAllText(Path.Combine(Repository.Root, "Directory.Build.props"))).Groups[1].Value;

    public static string Make(string name)
    {
        var source = File.ReadAllText(Path.Combine(Folder, name + SourceEnd)).Replace("@VERSION@", Version,
            StringComparison.Ordinal);
        // No word is hyphenated: options are not to be broken.
        source = Title().Replace(source, "$0.nh\n.ad l\n", 1);
        return $".\\\" Made from {name}{SourceEnd} and what the programs tell of themselves: tests/Tmem.Manuals.Tests.\n"
            + Block().Replace(source, block => Blocks.Of(block.Groups["name"].Value, block.Groups["argument"].Value));
    }

    [GeneratedRegex("^@(?<name>[A-Z]+) ?(?<argument>[a-z]*)@\n", RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex("^\\.TH .*\n", RegexOptions.Multiline)]
    private static partial Regex Title();

    [GeneratedRegex("<Version>(.*)</Version>")]
    private static partial Regex VersionLine();
}
