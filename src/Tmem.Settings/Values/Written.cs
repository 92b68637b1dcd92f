namespace Tmem.Settings.Values;

/// <summary>Kinds of values in a file.</summary>
internal enum WrittenKind { Text, Number, Flag, Other }

/// <summary>A value as it stands in a file or on a command line.</summary>
/// <param name="Kind">What TOML says it is.</param>
/// <param name="Text">The string, or the number or word as typed.</param>
/// <param name="Number">Of a number; 1 for true.</param>
internal readonly record struct Written(WrittenKind Kind, string Text, long Number = 0)
{
    public static Written Of(string text) => new(WrittenKind.Text, text);

    public static Written Of(long number) =>
        new(WrittenKind.Number, number.ToString(System.Globalization.CultureInfo.InvariantCulture), number);

    public static Written Of(bool flag) => new(WrittenKind.Flag, flag ? "true" : "false", flag ? 1 : 0);

    /// <summary>A section where a value belongs.</summary>
    public static Written Section { get; } = new(WrittenKind.Other, "a section");

    /// <summary>In the words of a fault.</summary>
    public string Shown => Kind == WrittenKind.Text ? $"'{Fault.Shorten(Text)}'" : Fault.Shorten(Text);
}

/// <summary>A value, where it stands, and the name of its key.</summary>
internal sealed record Entry(string Key, Written Value, Origin From);
