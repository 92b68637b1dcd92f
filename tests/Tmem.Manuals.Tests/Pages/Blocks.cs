using System.Text;
using System.Text.RegularExpressions;
using Tmem.Ctl.Mounts;
using Tmem.Manuals.Tests.Programs;
using Tmem.Settings.Keys;

namespace Tmem.Manuals.Tests.Pages;

/// <summary>The parts of the manual pages that the programs tell themselves.</summary>
internal static partial class Blocks
{
    private const string CodesBegin = "Exit codes: ";

    /// <summary>What stands for a line "@NAME argument@" of a page's source.</summary>
    public static string Of(string name, string argument) => name switch
    {
        "SYNOPSIS" => Synopsis(Program(argument)),
        "ABOUT" => Roff.Paragraph(Program(argument).Description.Split(CodesBegin)[0]),
        "OPTIONS" => string.Concat(Program(argument).Options.Select(Option)),
        "COMMANDS" => string.Concat(Program(argument).All.Skip(1).Select(Command)),
        "EXIT" => Codes(Program(argument)),
        "KEYS" => string.Concat(KnownKeys.Of(argument).Select(Key)),
        "MOUNT" => string.Concat(MountOptions.All.Select(MountOption)),
        _ => throw new ArgumentException($"there is no block {name}"),
    };

    private static DescribedCommand Program(string name) => name switch
    {
        "tmemd" => ProgramTrees.Daemon,
        "tmemctl" => ProgramTrees.Ctl,
        _ => throw new ArgumentException($"there is no program {name}"),
    };

    private static string Synopsis(DescribedCommand program)
    {
        var text = new StringBuilder($".B {program.Path}\n");
        foreach (var option in program.Options)
            text.Append('[').Append(Roff.Bold(option.Name)).Append(Value(option)).Append("]\n");
        return text.ToString();
    }

    private static string Option(DescribedValue option) => Roff.Item(
        string.Join(", ", option.Names.Reverse().Select(Roff.Bold)) + Value(option), option.Description);

    private static string Value(DescribedValue option) => option.Value.Length == 0 ? "" : " " + Roff.Italic(option.Value);

    private static string Command(DescribedCommand command)
    {
        var path = command.Path[(command.Path.IndexOf(' ') + 1)..];
        var text = new StringBuilder($".SS \"{Roff.Escape(path)}");
        foreach (var argument in command.Arguments)
        {
            var words = Roff.Italic(argument.Name) + (argument.IsMany ? "..." : "");
            text.Append(' ').Append(argument.IsNeeded ? words : $"[{words}]");
        }
        text.Append("\"\n").Append(Roff.Paragraph(command.Description));
        foreach (var argument in command.Arguments)
            text.Append(Roff.Item(Roff.Italic(argument.Name), argument.Description));
        foreach (var option in command.Options) text.Append(Option(option));
        return text.ToString();
    }

    private static string MountOption(MountOption option) => Roff.Item(string.Join(", ", option.Names.Select(Roff.Bold))
        + (option.Argument is { } value ? value[0] == '[' ? $"[={Roff.Italic(value[1..^1])}]" : $"={Roff.Italic(value)}" : ""),
        option.Description);

    private static string Codes(DescribedCommand program)
    {
        var text = program.Description[(program.Description.IndexOf(CodesBegin, StringComparison.Ordinal) + CodesBegin.Length)..];
        return string.Concat(Code().Matches(text).Select(code => Roff.Item(Roff.Bold(code.Groups["code"].Value),
            char.ToUpperInvariant(code.Groups["text"].Value[0]) + code.Groups["text"].Value[1..] + ".")));
    }

    private static string Key(SettingKey key)
    {
        var form = char.ToUpperInvariant(key.Form.Words[0]) + key.Form.Words[1..];
        var effect = key.Effect switch
        {
            Effect.Restart => "A change needs a restart of tmemd.",
            Effect.Reload => "A change takes effect at a reload.",
            Effect.Making => "It holds when the pool is made.",
            _ => "A change takes effect when swap is turned on.",
        };
        var usual = key.Default == "\"\"" ? "" : $" Default: {key.Default}.";
        return Roff.Item($"{Roff.Bold(key.Name)} =", $"{key.Description} {form}.{usual} Example: {key.Example}. {effect}");
    }

    [GeneratedRegex(@"(?<code>\d) (?<text>.*?)(; (?=\d )|\.?$)", RegexOptions.Singleline)]
    private static partial Regex Code();
}
