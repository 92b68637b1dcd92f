using Tmem.Control.Messages;

namespace Tmem.Control.CommandLine;

/// <summary>What a program says instead of a result.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Command">The command as a person calls it.</param>
/// <param name="Problem">What is wrong: a clause without a full stop.</param>
/// <param name="Remedy">What to do.</param>
internal readonly record struct Complaint(int ExitCode, string Command, string Problem, string Remedy)
{
    /// <summary>As a line for people.</summary>
    public string Line => SafeText.Printable($"{Command}: {Problem}; {Remedy}");

    /// <summary>Of wrong usage: the remedy may stand behind the problem already, and ends with where help is.</summary>
    public static Complaint Of(int exitCode, string command, string problem)
    {
        var help = $"see {command} --help";
        var end = RemedyIn(problem);
        return end < 0 ? new(exitCode, command, problem, help)
            : new(exitCode, command, problem[..end], $"{problem[(end + 2)..]}{(problem.EndsWith('?') ? "" : ";")} {help}");
    }

    /// <summary>The first semicolon that is in no quotation; negative if there is none.</summary>
    private static int RemedyIn(string problem)
    {
        for (var at = problem.IndexOf("; ", StringComparison.Ordinal); at >= 0;
            at = problem.IndexOf("; ", at + 2, StringComparison.Ordinal))
            if (problem.AsSpan(0, at).Count('\'') % 2 == 0) return at;
        return -1;
    }
}
