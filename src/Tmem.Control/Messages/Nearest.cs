namespace Tmem.Control.Messages;

/// <summary>The known word that somebody meant who wrote another one.</summary>
internal static class Nearest
{
    private const int Longest = 64;

    /// <summary>
    /// The word with the fewest letters to put in, take out, change, or swap with their neighbour; null if that is more than a
    /// third of them and more than two, or, beyond one, half of them.
    /// </summary>
    public static string? Of(string written, IEnumerable<string> known)
    {
        if (written.Length > Longest) return null;
        return known.Select(word => (Word: word, Steps: Distance(written.ToLowerInvariant().Replace('_', '-'), word)))
            .Where(one => one.Steps <= Math.Max(2, one.Word.Length / 3) && one.Steps < one.Word.Length
                && (one.Steps == 1 || 2 * one.Steps < one.Word.Length))
            .OrderBy(one => one.Steps).Select(one => one.Word).FirstOrDefault();
    }

    /// <summary>How many such steps lie between two words, none of them in the same place twice.</summary>
    public static int Distance(string from, string to)
    {
        var steps = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    steps[i, j] = i + j;
                    continue;
                }
                var change = from[i - 1] == to[j - 1] ? 0 : 1;
                var least = Math.Min(Math.Min(steps[i - 1, j], steps[i, j - 1]) + 1, steps[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                    least = Math.Min(least, steps[i - 2, j - 2] + 1);
                steps[i, j] = least;
            }
        }
        return steps[from.Length, to.Length];
    }
}
