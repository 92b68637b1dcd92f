using Tmem.Control.Messages;

namespace Tmem.Settings;

/// <summary>What is wrong in the settings, told in one line.</summary>
/// <param name="From">Where.</param>
/// <param name="Key">The key, or the section in brackets; empty if it is about the file.</param>
/// <param name="Problem">What is wrong: a clause.</param>
/// <param name="Remedy">What to write instead.</param>
internal sealed record Fault(Origin From, string Key, string Problem, string Remedy)
{
    /// <summary>"file:line: key: what is wrong; what to write".</summary>
    public string Line => SafeText.Printable($"{From}: {(Key.Length == 0 ? "" : Shorten(Key) + ": ")}{Problem}; {Remedy}");

    private const int LongestQuote = 60;

    /// <summary>Text as it is quoted in a fault: whoever wrote 300 letters recognises them by the first ones.</summary>
    public static string Shorten(string text) => text.Length <= LongestQuote ? text : text[..LongestQuote] + "…";
}
