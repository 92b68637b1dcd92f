using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using System.Text.RegularExpressions;
using Tmem.Control.Messages;

namespace Tmem.Control.CommandLine;

/// <summary>
/// The handling of command lines in every program of the project: a fault is one line on standard error that names it and points
/// to the help, with exit code 2. The library itself would print the whole help text, with the error scrolled out of sight above
/// it.
/// </summary>
internal static partial class Usage
{
    /// <summary>The exit code of an invalid command line.</summary>
    public const int Wrong = 2;

    /// <summary>The exit code of a command whose result could not be written.</summary>
    private const int Failed = 1;

    private const int LongestProblem = 200;
    private const int LongestQuote = 100;

    /// <summary>Runs a command line.</summary>
    /// <param name="root">The command.</param>
    /// <param name="program">Its name as typed.</param>
    /// <param name="args">The arguments.</param>
    /// <param name="invocation">Where output goes.</param>
    /// <param name="complain">Says what is wrong, with the exit code, in another way than as a line on standard error.</param>
    public static int Run(RootCommand root, string program, string[] args, InvocationConfiguration invocation,
        Action<ParseResult, Complaint>? complain = null)
    {
        var output = invocation.Output as ResultWriter ?? new ResultWriter(invocation.Output);
        var error = invocation.Error as ResultWriter ?? new ResultWriter(invocation.Error);
        (invocation.Output, invocation.Error) = (output, error);
        // "[diagram]" and the like would be orders to the library, and "@x" a file of arguments: here both are names that
        // somebody typed.
        root.Directives.Clear();
        // "--socket S --version" asks for the version like any other.
        foreach (var version in root.Options.OfType<VersionOption>()) version.Validators.Clear();
        invocation.EnableDefaultExceptionHandler = false;
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        // An unknown word is reported before a missing one that follows from it, and a missing value before its consequences.
        var problem = NotUtf8(parsed, args) ?? Unknown(parsed, args) ?? Twice(parsed)
            ?? (parsed.Errors.Count > 0 ? WithoutValue(parsed) ?? Plain(parsed.Errors[0].Message) : null);
        complain ??= (_, complaint) => error.WriteLine(complaint.Line);
        if (problem is not null)
        {
            complain(parsed, Complaint.Of(Wrong, Path(program, parsed.CommandResult), Shorten(problem, LongestProblem)));
            return Wrong;
        }
        var code = parsed.Invoke(invocation);
        output.Flush();
        if (output.TakeProblem() is not { } unwritten) return code;
        var sentence = $"{(code == 0 ? "the command was carried out, but " : "")}standard output takes no result: {unwritten}";
        if (code == 0) code = Failed;
        complain(parsed, new(code, program, sentence, "send it elsewhere"));
        return code;
    }

    /// <summary>Reports a fault that shows only when the options are taken together; returns the exit code.</summary>
    public static int Refuse(TextWriter error, string command, string problem)
    {
        error.WriteLine(Complaint.Of(Wrong, command, Shorten(problem, LongestProblem)).Line);
        return Wrong;
    }

    /// <summary>Arguments whose bytes are not UTF-8 and would be taken for others.</summary>
    private static string? NotUtf8(ParseResult parsed, string[] args) => ArgumentBytes.NotUtf8(args) is not { } shown ? null
        : $"arguments are UTF-8, and '{Shorten(shown, LongestQuote)}' is not; "
            + (parsed.CommandResult.Parent is CommandResult { Command.Name: "pool" }
                ? "reach a pool of such a name through the mount" : "give a name that is");

    /// <summary>
    /// A surplus word, or an unknown option in the place of a name: the library takes it for the name, and a slip of the hand
    /// makes a pool called "-x". After "--" or "=" such a name is meant.
    /// </summary>
    private static string? Unknown(ParseResult parsed, string[] args)
    {
        var words = Array.IndexOf(args, "--") is >= 0 and var end ? args[..end] : args;
        foreach (var child in Children(parsed))
            foreach (var value in child.Tokens.Select(token => token.Value).Where(LooksLikeOption).Where(words.Contains))
                if (child is OptionResult { Option: var option })
                {
                    if (Knows(parsed, value)) return $"{option.Name} needs a value, and '{value}' is an option";
                    if (option.ValueType == typeof(string))
                        return $"unknown option '{value}'; write it as {option.Name}={value} if it is meant";
                }
                else if (child is ArgumentResult)
                    return $"unknown option '{value}'; write it behind '--' if it is meant";
        // "--flag=yes" comes as two words, of which the second is taken for a name if there can be one.
        var surplus = Children(parsed).OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value).Where(value => !args.Contains(value)).Concat(parsed.UnmatchedTokens.Take(1));
        foreach (var value in surplus)
            foreach (var word in words)
                if (word.Length > value.Length + 1 && word.EndsWith(value, StringComparison.Ordinal)
                    && word[..^(value.Length + 1)] is var name && word[name.Length] is '=' or ':' && Knows(parsed, name))
                    return $"{name} takes no value, and '{value}' was given";
        if (parsed.UnmatchedTokens is not [var unmatched, ..]) return null;
        if (!LooksLikeOption(unmatched))
            return WithoutPlace(parsed.CommandResult.Command, unmatched, isBehindDashes: words.Length < args.Length);
        if (words.Length < args.Length && !words.Contains(unmatched))
            return $"'{unmatched}' stands behind '--', where no option is looked for; leave '--' out";
        var near = Nearest.Of(unmatched, Options(parsed));
        return $"unknown option '{unmatched}'" + (near is null ? "" : $"; did you mean {near}?");
    }

    /// <summary>What could stand in the place of a word, or that nothing can.</summary>
    private static string WithoutPlace(Command command, string word, bool isBehindDashes)
    {
        if (isBehindDashes && command.Subcommands.Any(one => one.Name == word))
            return $"'{word}' stands behind '--', where no command is looked for; leave '--' out";
        if (command.Subcommands.Count > 0)
            return $"there is no command '{word}'; " + (Nearest.Of(word, Shown(command)) is { } meant ? $"did you mean {meant}?"
                : "give " + Words([.. Shown(command)]));
        return command.Arguments.Count == 0 ? $"it takes options alone, and '{word}' was given"
            : $"it takes no argument after {string.Join(' ', command.Arguments.Select(one => one.Name))}, and '{word}' was given";
    }

    private static IEnumerable<string> Shown(Command command) => command.Subcommands.Where(one => !one.Hidden)
        .Select(one => one.Name);

    private static IEnumerable<string> Options(ParseResult parsed)
    {
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: var command }; at = at.Parent)
            foreach (var option in command.Options)
                if (!option.Hidden && (option.Recursive || at == parsed.CommandResult)) yield return option.Name;
    }

    private static bool Knows(ParseResult parsed, string word)
    {
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: var command }; at = at.Parent)
            if (command.Options.Any(option => option.Name == word || option.Aliases.Contains(word))) return true;
        return false;
    }

    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-';

    private static string? Twice(ParseResult parsed) =>
        Children(parsed).OfType<OptionResult>().FirstOrDefault(option => option.IdentifierTokenCount > 1) is { } twice
            ? $"{twice.Option.Name} is given more than once" : null;

    /// <summary>A missing value or argument, phrased like all other complaints.</summary>
    private static string? WithoutValue(ParseResult parsed)
    {
        foreach (var child in Children(parsed))
            if (child is OptionResult { Implicit: false, Tokens.Count: 0 } option
                && option.Option.Arity.MinimumNumberOfValues > 0)
                return $"{option.Option.Name} needs a value";
        var command = parsed.CommandResult.Command;
        if (command.Subcommands.Count > 0 && command.Action is null)
            return "a command is missing; give " + Words([.. Shown(command)]);
        foreach (var argument in command.Arguments)
            if (argument.Arity.MinimumNumberOfValues > 0 && parsed.GetResult(argument) is null or { Tokens.Count: 0 })
                return $"{argument.Name} is missing";
        return null;
    }

    private static IEnumerable<SymbolResult> Children(ParseResult parsed)
    {
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
            foreach (var child in command.Children) yield return child;
    }

    private static string Words(string[] words) => $"{string.Join(", ", words[..^1])} or {words[^1]}";

    private static string Path(string program, CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is CommandResult { Parent: not null } command; at = at.Parent)
            names.Insert(0, command.Command.Name);
        return string.Join(' ', [program, .. names]);
    }

    private static string Shorten(string text, int longest) => text.Length <= longest ? text : text[..longest] + "…";

    /// <summary>The library's sentences name .NET types and end with a full stop, unlike ours.</summary>
    private static string Plain(string message) => NotOfItsType().Match(message) is { Success: true } match
        ? $"{match.Groups[2].Value}: '{Shorten(match.Groups[1].Value, LongestProblem)}' is not {NameOf(match.Groups[3].Value)}"
        : message.EndsWith('.') ? message[..^1] : message;

    private static string NameOf(string type) => type switch
    {
        "System.Boolean" => "true or false",
        "System.Double" => "a number",
        _ => "a whole number in range",
    };

    [GeneratedRegex("^Cannot parse argument '(.*)' for (?:option|command) '(.*)' as expected type '(.*)'",
        RegexOptions.Singleline)]
    private static partial Regex NotOfItsType();

    /// <summary>Restricts a path: not empty, and no longer than a path can be.</summary>
    public static void AcceptPaths(this Option<string> option, int longest = 4095) =>
        option.Validators.Add(result => CheckPath(result, option.Name, longest));

    /// <inheritdoc cref="AcceptPaths(Option{string}, int)"/>
    public static void AcceptPaths(this Option<string?> option, int longest, bool optional) => option.Validators.Add(result =>
    {
        if (optional) CheckPath(result, option.Name, longest);
    });

    private static void CheckPath(OptionResult result, string name, int longest)
    {
        if (result.Tokens.Count != 1) return;
        var path = result.Tokens[0].Value;
        if (path.Length == 0) result.AddError($"{name} is empty; give a path");
        else if (path.Contains('\0')) result.AddError($"{name}: a path has no character 0 in it");
        else if (Encoding.UTF8.GetByteCount(System.IO.Path.GetFullPath(path)) is var bytes && bytes > longest)
            result.AddError($"{name}: the path has {bytes} bytes, and at most {longest} can be; give a shorter one");
    }
}
