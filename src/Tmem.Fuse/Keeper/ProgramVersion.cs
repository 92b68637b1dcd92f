using System.Reflection;

namespace Tmem.Fuse.Keeper;

/// <summary>Which program this is: keeper and worker may be different ones after an upgrade, which replaces the worker.</summary>
internal static class ProgramVersion
{
    private const int CommitDigits = 12;

    /// <summary>"0.1.0".</summary>
    public static string Number { get; }

    /// <summary>The commit that it was built from, shortened; null if that was not in a repository.</summary>
    public static string? Commit { get; }

    /// <summary>Both: "0.1.0+2e74a59fb2bf".</summary>
    public static string Whole => Commit is null ? Number : $"{Number}+{Commit}";

    static ProgramVersion()
    {
        var words = (typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion ?? "unknown").Split('+');
        Number = words[0];
        Commit = words.Length > 1 ? words[1][..Math.Min(CommitDigits, words[1].Length)] : null;
    }
}
