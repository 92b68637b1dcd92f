using System.CommandLine;
using System.CommandLine.Help;
using System.Text.RegularExpressions;
using Tmem.Ctl;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;
using Tmem.Settings.Keys;

namespace Tmem.Manuals.Tests.Programs;

/// <summary>The programs as they describe themselves to their own <c>--help</c>.</summary>
internal static partial class ProgramTrees
{
    public static DescribedCommand Daemon { get; } =
        new Reader(Fuse.Daemon.CommandLine.Create(_ => 0, 1L << 40, (_, _) => 0, () => ""), "tmemd").Read();

    public static DescribedCommand Ctl { get; } = new Reader(CommandTree.Create(TextWriter.Null, TextWriter.Null,
        new LinuxSwapSystem(), new LinuxMountSystem()).Root, "tmemctl").Read();

    private sealed class Reader(RootCommand root, string program)
    {
        public DescribedCommand Read() => Read(root, program);

        private DescribedCommand Read(Command command, string path) => new(path, command.Description ?? "",
            [.. command.Arguments.Where(one => !one.Hidden).Select(one => Read(one, path))],
            [.. command.Options.Where(one => !one.Hidden).Select(one => Read(one, path))],
            [.. command.Subcommands.Where(one => !one.Hidden).Select(one => Read(one, $"{path} {one.Name}"))]);

        private DescribedValue Read(Argument argument, string path) => new([argument.Name], "", Sentences(argument.Description),
            path[program.Length..] switch
            {
                " help" => ValueKind.Command,
                " pool create" => ValueKind.Free,
                " swap off" => ValueKind.Device,
                _ => KindOf(argument.Name),
            }, [], argument.Arity.MaximumNumberOfValues > 1, IsNeeded: argument.Arity.MinimumNumberOfValues > 0);

        private DescribedValue Read(Option option, string path)
        {
            // The library's "/h" is nobody's.
            IReadOnlyList<string> names = [.. option.Aliases.Append(option.Name).Where(name => name[0] == '-').Distinct()
                .OrderByDescending(name => name.Length)];
            if (option is HelpOption or VersionOption || option.ValueType == typeof(bool))
                return new(names, "", Sentences(option.Description), ValueKind.None, [], IsForAll: option.Recursive);
            var words = Words($"{path} {option.Name}");
            return new(names, option.HelpName ?? "VALUE", $"{Sentences(option.Description)}{Default(option)}",
                words.Count > 0 ? ValueKind.Word : option.Name == "--pool" ? ValueKind.Pool : KindOf(option.HelpName), words,
                IsForAll: option.Recursive);
        }

        /// <summary>The words that the program names when it is given another: it is what checks them.</summary>
        private IReadOnlyList<string> Words(string option)
        {
            var errors = root.Parse([.. option.Split(' ')[1..], "\u0001"]).Errors;
            return errors.Select(error => KnownWords().Match(error.Message)).FirstOrDefault(match => match.Success) is { } known
                ? [.. known.Groups["word"].Captures.Select(one => one.Value)] : [];
        }
    }

    private static ValueKind KindOf(string? value) => value switch
    {
        "FILE" or "PATH" or "FILE|-" => ValueKind.File,
        "DIR" => ValueKind.Folder,
        "USER" => ValueKind.User,
        "GROUP" => ValueKind.Group,
        "POOL" or "NAME" => ValueKind.Pool,
        _ => ValueKind.Free,
    };

    /// <summary>The default that the help adds by itself.</summary>
    private static string Default(Option option)
    {
        if (!option.HasDefaultValue) return "";
        // What depends on the machine has a word in the settings.
        var isComputed = KnownKeys.All.Any(key => key.Option == option.Name && key.Default == "\"auto\"");
        return isComputed ? " Default: what auto is in tmem.toml(5)." : $" Default: {option.GetDefaultValue()}.";
    }

    /// <summary>Where the help has no full stop, because an example or a default in brackets ends it.</summary>
    private static string Sentences(string? description)
    {
        var text = WrittenDefault().Replace(description ?? "", ". Default: $1");
        return text.Length == 0 || text.EndsWith('.') ? text : text + ".";
    }

    [GeneratedRegex(@"\.? \[default: (.*)\]$")]
    private static partial Regex WrittenDefault();

    [GeneratedRegex(@"is not known; give (some of )?(?<word>[a-z0-9-]+)(, (?<word>[a-z0-9-]+))*( or (?<word>[a-z0-9-]+))?$")]
    private static partial Regex KnownWords();
}
