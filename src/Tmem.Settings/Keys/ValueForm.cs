using System.Text;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings.Values;

namespace Tmem.Settings.Keys;

/// <summary>What a key's value may be. A value is looked at where it stands, whether or not a later file overrides it.</summary>
/// <param name="Words">For people: "a path".</param>
internal abstract record ValueForm(string Words)
{
    /// <summary>What is wrong with a value, and what to write; null if nothing is.</summary>
    public abstract (string Problem, string Remedy)? Check(Written value);

    /// <summary>Of a value that is no string, or no number, as the form wants it.</summary>
    protected static (string, string) Unlike(Written value, string remedy) => ($"{value.Shown} is not possible", remedy);
}

/// <summary>true or false.</summary>
internal sealed record FlagForm() : ValueForm("true or false")
{
    public override (string Problem, string Remedy)? Check(Written value) =>
        value.Kind == WrittenKind.Flag ? null : Unlike(value, "write true or false, without quotes");
}

/// <summary>A whole number within bounds, or one word.</summary>
internal sealed record NumberForm(long Least, long Most, string? Word = null)
    : ValueForm($"a whole number from {Least} to {Most}{(Word is null ? "" : $", or \"{Word}\"")}")
{
    public override (string Problem, string Remedy)? Check(Written value) =>
        (value.Kind == WrittenKind.Number && value.Number >= Least && value.Number <= Most)
        || (Word is not null && value == Written.Of(Word)) ? null : Unlike(value, $"write {Words}");
}

/// <summary>One of a few words.</summary>
internal sealed record WordForm(params IReadOnlyList<string> Known)
    : ValueForm(string.Join(", ", Known.SkipLast(1).Select(one => $"\"{one}\"")) + $" or \"{Known[^1]}\"")
{
    public override (string Problem, string Remedy)? Check(Written value) =>
        value.Kind == WrittenKind.Text && Known.Contains(value.Text) ? null : Unlike(value, $"write {Words}");
}

/// <summary>A size, or one word; percentages are of <paramref name="Whole"/>.</summary>
internal sealed record SizeForm(string Whole, string? Word = null)
    : ValueForm($"a size (percentages are of {Whole}){(Word is null ? "" : $", or \"{Word}\"")}")
{
    private static readonly SizeScale s_any = new(1L << 34, 1L << 32);

    private string Remedy => $"write it as {SizeExpression.Examples}{(Word is null ? "" : $", or {Word}")}";

    public override (string Problem, string Remedy)? Check(Written value)
    {
        if (value.Kind == WrittenKind.Number) return value.Number < 0 ? ("a size is not negative", Remedy) : null;
        if (value.Kind != WrittenKind.Text) return ($"{value.Shown} is no size", Remedy);
        if (Word is not null && value.Text == Word) return null;
        // What it comes to is known when all files are: here it matters that it can be read.
        return SizeExpression.Evaluate(value.Text, s_any, out _) is { } problem && !IsOfMagnitude(problem)
            ? ($"'{Fault.Shorten(value.Text)}' {problem}", Remedy) : null;
    }

    /// <summary>The size in bytes.</summary>
    public static string? Evaluate(Written value, SizeScale scale, out long bytes)
    {
        bytes = value.Number;
        return value.Kind == WrittenKind.Number ? null : SizeExpression.Evaluate(value.Text, scale, out bytes);
    }

    private static bool IsOfMagnitude(string problem) => problem.StartsWith("is ", StringComparison.Ordinal);
}

/// <summary>An absolute path, or nothing where it may be left out.</summary>
internal sealed record PathForm(int Longest, bool Optional = false)
    : ValueForm("an absolute path" + (Optional ? ", or \"\" for none" : ""))
{
    public override (string Problem, string Remedy)? Check(Written value)
    {
        if (value.Kind != WrittenKind.Text) return Unlike(value, "write a path in quotes");
        if (value.Text.Length == 0) return Optional ? null : ("the path is empty", "write one");
        if (value.Text.Any(char.IsControl))
            return ($"{value.Shown} has a control character in it", "write a path without");
        if (!Path.IsPathFullyQualified(value.Text))
            return ($"{value.Shown} does not begin with '/', and a file does not know where it would be read from",
                "write the whole path");
        return Encoding.UTF8.GetByteCount(value.Text) is var bytes && bytes > Longest
            ? ($"the path has {bytes} bytes, and at most {Longest} can be", "write a shorter one") : null;
    }
}

/// <summary>Flags of a mount: "ro,noexec".</summary>
internal sealed record MountFlagsForm()
    : ValueForm($"some of {string.Join(", ", MountFlags.Words)}, in quotes and separated by commas")
{
    public override (string Problem, string Remedy)? Check(Written value)
    {
        if (value.Kind != WrittenKind.Text) return Unlike(value, $"write {Words}");
        if (TryRead(value.Text, out _, out var unknown)) return null;
        return Nearest.Of(unknown, MountFlags.Words) is { } meant
            ? ($"{value.Shown} has a word that is no flag of a mount", $"did you mean {meant}?")
            : ($"{value.Shown} has a word that is no flag of a mount", $"write {Words}");
    }

    /// <summary>The flags; the first word that is none.</summary>
    public static bool TryRead(string text, out uint flags, out string unknown)
    {
        (flags, unknown) = (MountFlags.Usual, "");
        foreach (var word in text.Split(','))
        {
            if (MountFlags.TryApply(word, ref flags)) continue;
            unknown = word;
            return false;
        }
        return true;
    }
}

/// <summary>What the first column of the mount table has.</summary>
internal sealed record MountSourceForm() : ValueForm("a name in quotes")
{
    private const int Longest = 255;

    public override (string Problem, string Remedy)? Check(Written value)
    {
        if (value.Kind != WrittenKind.Text) return Unlike(value, $"write {Words}");
        if (value.Text.Length == 0) return ("the name is empty", "write one");
        if (value.Text[0] == '-' || value.Text.Any(char.IsControl)) return Unlike(value, "write a name of letters");
        return Encoding.UTF8.GetByteCount(value.Text) > Longest
            ? ($"the name is longer than {Longest} bytes", "write a shorter one") : null;
    }
}

/// <summary>The name of a pool.</summary>
internal sealed record PoolForm() : ValueForm("the name of a pool")
{
    public override (string Problem, string Remedy)? Check(Written value) =>
        value.Kind != WrittenKind.Text ? Unlike(value, "write a name in quotes")
            : PoolName.Impossible(value.Text) ?? PoolName.Unshowable(value.Text);
}

/// <summary>A user or a group of the machine, by name or number.</summary>
internal sealed record AccountForm(string What, Func<string, uint?> Find, bool Optional = false)
    : ValueForm($"a {What}'s name or number{(Optional ? ", or \"\" for none" : "")}")
{
    public override (string Problem, string Remedy)? Check(Written value)
    {
        if (value.Kind is not (WrittenKind.Text or WrittenKind.Number)) return Unlike(value, $"write a {What}'s name in quotes");
        if (value.Text.Length == 0)
            return Optional ? null : ($"the {What} is missing", $"write a {What}'s name in quotes, or its number");
        return Find(value.Text) is null
            ? ($"there is no {What} {value.Shown} on this machine", $"make it first, or write one of /etc/{File}, or a number")
            : null;
    }

    private string File => What == "group" ? "group" : "passwd";
}

/// <summary>The mode of a directory: "0750".</summary>
internal sealed record ModeForm() : ValueForm("an octal mode in quotes")
{
    public override (string Problem, string Remedy)? Check(Written value) =>
        value.Kind == WrittenKind.Text && TryRead(value.Text, out _) ? null
            : ($"{value.Shown} is no mode", "write it in octal and in quotes, from \"0000\" to \"1777\"");

    public static bool TryRead(string text, out uint mode)
    {
        mode = 0;
        if (text.Length is < 3 or > 4 || text.Any(digit => digit is < '0' or > '7')) return false;
        mode = Convert.ToUInt32(text, 8);
        const uint sticky = 0x3FF; // 01777
        return mode <= sticky;
    }
}
