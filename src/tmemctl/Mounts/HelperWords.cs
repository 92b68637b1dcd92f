namespace Tmem.Ctl.Mounts;

/// <summary>
/// The words that mount(8) and umount(8) give a helper: places, letters without a value (-f, or -fv), and -o, -t and -N with one.
/// They may come in any order.
/// </summary>
/// <param name="Places">The words that are no options.</param>
/// <param name="Letters">Those that were given: "fv".</param>
/// <param name="Options">The lists behind -o, joined by commas.</param>
/// <param name="Namespace">The mount namespace to work in; null for this process's.</param>
internal sealed record HelperWords(IReadOnlyList<string> Places, string Letters, string Options, string? Namespace)
{
    private const string Valued = "otN";

    public bool Has(char letter) => Letters.Contains(letter);

    /// <summary>Reads a command line; null if it is wrong.</summary>
    /// <param name="words">The command line.</param>
    /// <param name="letters">Those without a value that the helper knows.</param>
    /// <param name="places">How many places it takes.</param>
    /// <param name="problem">What is wrong with it: a clause.</param>
    public static HelperWords? Parse(IReadOnlyList<string> words, string letters, int places, out string problem)
    {
        var found = new List<string>();
        var (given, options, within) = ("", new List<string>(), (string?)null);
        problem = "";
        for (var i = 0; i < words.Count; i++)
        {
            var word = words[i];
            if (word.Length < 2 || word[0] != '-')
            {
                found.Add(word);
                continue;
            }
            for (var at = 1; at < word.Length; at++)
            {
                var letter = word[at];
                if (letters.Contains(letter)) given += letter;
                else if (!Valued.Contains(letter))
                {
                    problem = $"'{word}' is not known";
                    return null;
                }
                else
                {
                    var value = at + 1 < word.Length ? word[(at + 1)..] : i + 1 < words.Count ? words[++i] : null;
                    if (value is null)
                    {
                        problem = $"-{letter} needs a value";
                        return null;
                    }
                    if (letter == 'o') options.Add(value);
                    if (letter == 'N') within = value;
                    break;
                }
            }
        }
        if (found.Count != places)
        {
            problem = found.Count < places ? "a word is missing" : $"'{found[places]}' is one word too many";
            return null;
        }
        if (found.Any(place => place.Length == 0))
        {
            problem = found[^1].Length == 0 ? "DIR is empty" : "SPEC is empty; give any word, as none";
            return null;
        }
        return new HelperWords(found, given, string.Join(',', options), within);
    }
}
