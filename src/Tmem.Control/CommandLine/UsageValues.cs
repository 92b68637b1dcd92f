using System.CommandLine.Parsing;
using System.Globalization;
using Tmem.Control.Messages;

namespace Tmem.Control.CommandLine;

/// <summary>
/// The values of options, for every program of the project: an impossible value is refused before any request, by a sentence that
/// says what is possible. The library's own parsers accept more (a number for an enumeration) and say less.
/// </summary>
internal static class UsageValues
{
    /// <summary>A whole number within bounds.</summary>
    public static int? Number(ArgumentResult result, string name, int least, int most)
    {
        var text = Text(result);
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least
            && number <= most) return number;
        result.AddError($"{name}: '{text}' is not a whole number from {least} to {most}");
        return null;
    }

    /// <summary>One of a few words.</summary>
    public static T? OneOf<T>(ArgumentResult result, string name, params ReadOnlySpan<(string Word, T Value)> words)
        where T : struct
    {
        var text = Text(result);
        var known = new List<string>(words.Length);
        foreach (var (word, value) in words)
        {
            if (word == text) return value;
            known.Add(word);
        }
        result.AddError($"{name}: '{text}' is not known; give {string.Join(", ", known[..^1])} or {known[^1]}");
        return null;
    }

    /// <summary>A size in bytes, within bounds.</summary>
    public static long? Size(ArgumentResult result, string name, long least = 0, long most = long.MaxValue)
    {
        var text = Text(result);
        if (!ByteSize.TryParse(text, out var bytes))
            result.AddError(ByteSize.IsTooLarge(text)
                ? $"{name}: '{text}' is more than can be; the most is {ByteSize.Format(most)}"
                : $"{name}: '{text}' is not a size; write it as {ByteSize.Examples}");
        else if (bytes < least) result.AddError($"{name}: '{text}' is too small; the least is {ByteSize.Format(least)}");
        else if (bytes > most) result.AddError($"{name}: '{text}' is too large; the most is {ByteSize.Format(most)}");
        else return bytes;
        return null;
    }

    /// <summary>A size in bytes, or "none", which is 0. If 0 is within the bounds, it may be written as well.</summary>
    public static long? SizeOrNone(ArgumentResult result, string name, long least = 0) => Text(result) switch
    {
        ByteSize.None => 0,
        "0" when least > 0 => Refuse(result, $"{name}: '0' is too small; the least is {ByteSize.Format(least)}, or give "
            + $"{ByteSize.None}"),
        _ => Size(result, name, least),
    };

    private static long? Refuse(ArgumentResult result, string problem)
    {
        result.AddError(problem);
        return null;
    }

    /// <summary>The argument's word.</summary>
    public static string Text(ArgumentResult result) => result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
}
