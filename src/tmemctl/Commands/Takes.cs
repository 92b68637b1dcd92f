using System.CommandLine;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Commands;

/// <summary>Options and arguments that several commands share.</summary>
internal static class Takes
{
    private const int LongestPath = 4095;

    /// <summary>The argument that names a pool; a new pool's name must be showable.</summary>
    public static Argument<string> Pool(string description = "The pool.", bool isNew = false)
    {
        var name = new Argument<string>("NAME") { Description = description };
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count != 1) return;
            var given = result.Tokens[0].Value;
            if ((PoolName.Impossible(given) ?? (isNew ? PoolName.Unshowable(given) : null)) is var (problem, remedy))
                result.AddError($"{problem}; {remedy}");
        });
        return name;
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

    /// <summary>An option that takes a size.</summary>
    public static Option<long?> Size(string name, string description, long least = 1, long most = long.MaxValue) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.Size(argument, name, least, most),
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
