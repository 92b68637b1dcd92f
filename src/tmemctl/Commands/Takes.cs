using System.CommandLine;
using System.CommandLine.Parsing;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Reload;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary>Options and arguments that several commands share.</summary>
internal static class Takes
{
    private const int LongestPath = 4095;

    /// <summary>The argument that names a pool; a new pool's name must be showable.</summary>
    public static Argument<string> Pool(string description = "The pool.", bool isNew = false)
    {
        var name = new Argument<string>("NAME") { Description = description };
        name.Validators.Add(result => CheckPool(result, isNew));
        return name;
    }

    /// <summary>The same of what may be left out: null then.</summary>
    public static Argument<string?> PoolIfNamed(string description, bool isNew = false)
    {
        var name = new Argument<string?>("NAME") { Description = description, Arity = ArgumentArity.ZeroOrOne };
        name.Validators.Add(result => CheckPool(result, isNew));
        return name;
    }

    private static void CheckPool(ArgumentResult result, bool isNew)
    {
        if (result.Tokens.Count != 1) return;
        var given = result.Tokens[0].Value;
        if ((PoolName.Impossible(given) ?? (isNew ? PoolName.Unshowable(given) : null)) is var (problem, remedy))
            result.AddError($"{problem}; {remedy}");
    }

    /// <summary>Refuses a command line without any of these options, which say what is to be changed.</summary>
    /// <param name="argument">What is to be changed.</param>
    /// <param name="changes">The options.</param>
    /// <param name="refused">Options that are refused with a reason of their own.</param>
    public static void NeedsOneOf<T>(this Argument<T> argument, Option[] changes, params Option[] refused)
    {
        var names = changes.Select(option => option.Name).ToList();
        var remedy = $"give {string.Join(", ", names.SkipLast(1))} or {names[^1]}";
        argument.Validators.Add(result =>
        {
            if (!changes.Concat(refused).Any(option => result.GetResult(option) is { Implicit: false }))
                result.AddError("nothing is to be changed; " + remedy);
        });
    }

    /// <summary>An option without a value.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>An option that takes a path, relative to this process's working directory, not the daemon's.</summary>
    public static Option<string?> Path(string name, string help, string description)
    {
        var path = new Option<string?>(name)
        {
            Description = description,
            HelpName = help,
        };
        path.AcceptPaths(LongestPath, optional: true);
        return path;
    }

    /// <summary>The option's path, made absolute.</summary>
    public static string? FullPath(this ParseResult parse, Option<string?> path) =>
        parse.GetValue(path) is { } given ? System.IO.Path.GetFullPath(given) : null;

    /// <summary>An argument that is a size or "none".</summary>
    public static Argument<long> SizeOrNone(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = argument => UsageValues.SizeOrNone(argument, name) ?? 0,
    };

    /// <summary>An option that takes a size or "none", which is 0.</summary>
    public static Option<long> SizeOrNoneOption(string name, string description, long least = 0) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.SizeOrNone(argument, name, least) ?? 0,
    };

    /// <summary>As the other, of what can be left out: null then.</summary>
    public static Option<long?> SizeOrNoneIfGiven(string name, string description, long least = 0) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.SizeOrNone(argument, name, least),
    };

    /// <summary>An argument that is a size.</summary>
    public static Argument<long> SizeArgument(string name, string description, long least = 0) => new(name)
    {
        Description = description,
        CustomParser = argument => UsageValues.Size(argument, name, least) ?? 0,
    };

    /// <summary>An option that takes a codec.</summary>
    public static Option<CodecWish?> Codec(string description) => Word("--codec", "CODEC", description,
        ("lz4", CodecWish.Lz4), ("lz4-reference", CodecWish.Lz4Reference), ("zstd", CodecWish.Zstd));

    /// <summary>An option that takes a user of this machine.</summary>
    public static Option<uint?> User(string description) => Account("--owner", "USER", "user", description, Accounts.User);

    /// <summary>An option that takes a group of this machine.</summary>
    public static Option<uint?> Group(string description) => Account("--group", "GROUP", "group", description, Accounts.Group);

    private static Option<uint?> Account(string name, string help, string kind, string description, Func<string, uint?> find) =>
        new(name)
        {
            Description = description,
            HelpName = help,
            CustomParser = argument =>
            {
                var text = UsageValues.Text(argument);
                if (find(text) is { } number) return number;
                argument.AddError($"{name}: there is no {kind} '{text}' on this machine; name one of it, or give a number");
                return null;
            },
        };

    /// <summary>An option that takes permission bits in octal.</summary>
    public static Option<uint?> Mode(string description) => new("--mode")
    {
        Description = description,
        HelpName = "MODE",
        CustomParser = argument =>
        {
            var text = UsageValues.Text(argument);
            if (text.Length is > 0 and <= 5 && text.All(digit => digit is >= '0' and <= '7')
                && Convert.ToUInt32(text, 8) is <= MostMode and var mode) return mode;
            argument.AddError($"--mode: '{text}' is no mode; write it in octal, as 0700 or 2775");
            return null;
        },
    };

    private const uint MostMode = 0xFFF; // 07777

    /// <summary>An option that takes a size.</summary>
    public static Option<long?> Size(string name, string description, long least = 1, long most = long.MaxValue) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.Size(argument, name, least, most),
    };

    /// <summary>
    /// An option that takes a size as the settings do, with shares and expressions. How large a share is, the command knows; what
    /// has none is checked here.
    /// </summary>
    public static Option<SwapOn.SizeOf?> SizeExpression(string name, string description, long least, long most) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument =>
        {
            var text = UsageValues.Text(argument);
            var hasShare = text.Contains('%', StringComparison.Ordinal);
            _ = SettingsSource.Size(text, whole: 1 << 30, hasShare ? long.MinValue : least, hasShare ? long.MaxValue : most,
                out var problem);
            if (problem is not null) argument.AddError($"{name}: {problem}");
            return (long whole, out string? wrong) => SettingsSource.Size(text, whole, least, most, out wrong);
        },
    };

    /// <summary>An option that takes a whole number.</summary>
    public static Option<int?> Number(string name, string description, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = argument => UsageValues.Number(argument, name, least, most),
    };

    /// <summary>An option that takes one of a few words.</summary>
    public static Option<T?> Word<T>(string name, string help, string description, params (string Word, T Value)[] words)
        where T : struct => new(name)
    {
        Description = description,
        HelpName = help,
        CustomParser = argument => UsageValues.OneOf(argument, name, words),
    };
}
