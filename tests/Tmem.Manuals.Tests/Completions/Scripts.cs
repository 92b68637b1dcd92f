using System.Text;
using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Completions;

/// <summary>The completion scripts: packaging/completions/SHELL/FILE, under the name that the shell looks for.</summary>
internal static partial class Scripts
{
    public const string Made = "Made from what the program tells of itself: tests/Tmem.Manuals.Tests.";

    private const int LongestDescription = 70;

    public static IReadOnlyList<DescribedCommand> Programs { get; } = [ProgramTrees.Daemon, ProgramTrees.Ctl];

    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish"];

    public static string File(string shell, string program) => Path.Combine(Repository.Root, "packaging", "completions", shell,
        shell switch { "bash" => program, "zsh" => "_" + program, _ => program + ".fish" });

    public static string Make(string shell, DescribedCommand program) => shell switch
    {
        "bash" => BashScript.Make(program),
        "zsh" => ZshScript.Make(program),
        _ => FishScript.Make(program),
    };

    /// <summary>What a description says first, without a full stop; for a list of choices.</summary>
    public static string Brief(string description)
    {
        var brief = FirstClause().Match(description).Groups[1].Value;
        if (brief.Length <= LongestDescription) return brief;
        var comma = brief.IndexOf(", ", StringComparison.Ordinal);
        return comma is > 0 and <= LongestDescription ? brief[..comma]
            : brief[..brief.LastIndexOf(' ', LongestDescription)] + " ...";
    }

    /// <summary>A word in single quotes, for all three shells.</summary>
    public static string Quoted(string text) => $"'{text.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    /// <summary>A command that lists pools, a line each: the first column of a table.</summary>
    /// <param name="program">tmemctl.</param>
    /// <param name="daemon">The options that lead to its daemon, as the shell has them.</param>
    public static string Pools(string program, string daemon) =>
        $"{program} --timeout 1 {daemon} pool list 2>/dev/null | sed '1d; s/  .*//'";

    /// <summary>The same of the swap devices that are on: the fifth column of those lines that are of the table.</summary>
    public static string Devices(string program, string daemon) =>
        $"{program} --timeout 1 {daemon} swap status 2>/dev/null |\n        "
        + @"awk -F '  +' '/^\/[^ :]+ / { print $5 }'";

    /// <summary>Words with a sign between them, in lines that are not too long.</summary>
    /// <param name="words">The words.</param>
    /// <param name="between">Stands between two on a line.</param>
    /// <param name="newLine">Stands between two on different lines.</param>
    public static string Lines(IEnumerable<string> words, string between, string newLine)
    {
        const int longest = 60;
        var (text, length) = (new StringBuilder(), 0);
        foreach (var word in words)
        {
            if (length > 0) text.Append(length + word.Length > longest ? newLine : between);
            if (length + word.Length > longest) length = 0;
            text.Append(word);
            length += word.Length + between.Length;
        }
        return text.ToString();
    }

    /// <summary>A command's own options, and those that go with all.</summary>
    public static IEnumerable<DescribedValue> OptionsOf(DescribedCommand program, DescribedCommand command) =>
        command == program ? command.Options : command.Options.Concat(program.Options.Where(option => option.IsForAll));

    /// <summary>All options that take a value, wherever they stand: their values are no commands.</summary>
    public static IEnumerable<string> WithValue(DescribedCommand program) => program.All.SelectMany(command => command.Options)
        .Where(option => option.Kind != ValueKind.None).Select(option => option.Name).Distinct().Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^(.*?)(\. |: |; | \(|, for example |\.?$)")]
    private static partial Regex FirstClause();
}
