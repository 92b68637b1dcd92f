using System.Globalization;

namespace Tmem.Control.CommandLine;

/// <summary>
/// How tmemd comes to its settings without reading them: it becomes tmemctl, which reads the files and becomes tmemd again, with
/// what they say on its command line. All of it is one process. A reader in tmemd itself was measured: it would be 1.2 MiB more
/// of locked memory in the keeper, and 0.6 MiB in each worker (docs/settings.md).
/// </summary>
internal static class DaemonStart
{
    /// <summary>The word that tells tmemctl to do so; no command for people.</summary>
    public const string Verb = "start-tmemd";

    /// <summary>
    /// The option of tmemd that stands before the options that come from files, and names these. What stands before it was typed.
    /// </summary>
    public const string SettingsFrom = "--settings-from";

    /// <summary>The option that names other files than the system's.</summary>
    public const string Config = "--config";

    /// <summary>The word for no file at all; a file of that name is written as ./none.</summary>
    public const string NoFile = "none";

    /// <summary>
    /// The words behind the verb: the program, how many words its command line begins with (dotnet tmemd.dll are two), and that
    /// command line.
    /// </summary>
    public static string[] Write(string program, IReadOnlyList<string> line, int arguments) =>
        [Verb, program, (line.Count - arguments).ToString(CultureInfo.InvariantCulture), .. line];

    /// <summary>Reads them; null if they are none.</summary>
    public static (string Program, string[] Begin, string[] Typed)? Read(string[] words) =>
        words is [Verb, var program, var count, .. var line]
        && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var begin)
        && begin > 0 && begin <= line.Length ? (program, line[..begin], line[begin..]) : null;
}
