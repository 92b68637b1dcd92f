using System.Text.RegularExpressions;

namespace Tmem.Ctl.Mounts;

/// <summary>What a daemon that could not start has said: lines of its log, or of a wrong usage.</summary>
internal static partial class StartLine
{
    /// <summary>The last error, without what a log has in front of it; null if there is no line.</summary>
    public static string? Choose(IReadOnlyList<string> lines)
    {
        var errors = lines.Select(line => LogLine().Match(line))
            .Where(line => line.Success && line.Groups["level"].Value is "error" or "<3>").ToList();
        if (errors.Count > 0) return errors[^1].Groups["message"].Value.TrimEnd('.');
        return lines.Count == 0 ? null : UsageEnd().Replace(UsageBegin().Replace(lines[^1], ""), "").TrimEnd('.');
    }

    [GeneratedRegex(@"^(\S+Z (?<level>debug|info|warning|error) |(?<level><\d>))(?<message>.*)$")]
    private static partial Regex LogLine();

    [GeneratedRegex("^tmemd: (--)?")]
    private static partial Regex UsageBegin();

    [GeneratedRegex("; see tmemd --help$")]
    private static partial Regex UsageEnd();
}
