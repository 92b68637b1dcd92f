using System.Globalization;

namespace Tmem.Control.Messages;

/// <summary>Numbers of things as people read them.</summary>
internal static class Counted
{
    /// <summary>"1 page", "2 pages", "0 pages"; "1 damaged place", "2 damaged places".</summary>
    public static string Of(long count, string thing) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {thing}{(count == 1 ? "" : "s")}");

    /// <summary>"A", "A and B", "A, B and C".</summary>
    public static string Names(IReadOnlyList<string> names) => names.Count < 2 ? string.Concat(names)
        : $"{string.Join(", ", names.Take(names.Count - 1))} and {names[^1]}";
}
