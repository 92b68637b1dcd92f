using System.CommandLine;
using System.CommandLine.Parsing;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;

namespace Tmem.Benchmarks;

/// <summary>Option kinds that several commands share.</summary>
internal static class Options
{
    /// <summary>An option holding a size in bytes, written as 4096, 512M or 2GiB.</summary>
    public static Option<long> Size(string name, long fallback, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => fallback,
        CustomParser = result => ParseSize(name)(result) ?? 0,
    };

    /// <summary>Reads such a size; for an option whose default is not a number.</summary>
    public static Func<ArgumentResult, long?> ParseSize(string name) => result =>
    {
        if (result.Tokens.Count == 1 && ByteSize.TryParse(result.Tokens[0].Value, out var bytes)) return bytes;
        result.AddError($"{name}: '{string.Join(' ', result.Tokens)}' is not a size; write it as 4096, 512M or 2GiB.");
        return null;
    };

    /// <summary>An option holding a whole number of at least so much.</summary>
    public static Option<int> Number(string name, int fallback, int least, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => fallback,
        CustomParser = result => UsageValues.Number(result, name, least, int.MaxValue) ?? 0,
    };

    /// <summary>An option with a default.</summary>
    public static Option<T> With<T>(string name, T fallback, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => fallback,
    };
}
