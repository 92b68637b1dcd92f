using System.Text.RegularExpressions;

namespace Tmem.Ctl.Mounts;

/// <summary>What a daemon that could not start has said: lines of its log, or of a wrong usage.</summary>
internal static partial class StartLine
{
    /// <summary>
    /// The last error without what a log has in front of it, or the last line that is none of a log, or the last warning. Null if
    /// there is none of these: what a log tells besides is no reason.
    /// </summary>
    public static string? Choose(IReadOnlyList<string> lines)
    {
        var logged = lines.Select(line => LogLine().Match(line)).Where(line => line.Success).ToList();
        return Last(logged, "error", "<3>") ?? (lines.LastOrDefault(line => !LogLine().IsMatch(line)) is { } plain
            ? UsageEnd().Replace(UsageBegin().Replace(plain, ""), "").TrimEnd('.') : Last(logged, "warning", "<4>"));
    }

    private static string? Last(List<Match> logged, params string[] levels) =>
        logged.FindLast(line => levels.Contains(line.Groups["level"].Value))?.Groups["message"].Value.TrimEnd('.');

    [GeneratedRegex(@"^(\S+Z (?<level>debug|info|warning|error) |(?<level><\d>))(?<message>.*)$")]
    private static partial Regex LogLine();

    [GeneratedRegex("^tmemd: (--)?")]
    private static partial Regex UsageBegin();

    [GeneratedRegex("; see tmemd --help$")]
    private static partial Regex UsageEnd();
}
