using System.Globalization;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings;

/// <summary>The options of a command line of tmemd as entries that win over all files.</summary>
internal static class OptionEntries
{
    private const string Config = "--config";

    /// <summary>An option that was given, as tmemd itself has read it.</summary>
    public static Entry Of(SettingKey key, Written value) => new(key.Name, value, new(null, Option: key.Option));

    /// <summary>
    /// The options among the words of a daemon's command line, which tmemd has accepted: each once, followed by its value or
    /// joined to it.
    /// </summary>
    /// <param name="words">The words.</param>
    /// <param name="directory">The daemon's working directory, which a relative path is below.</param>
    public static IReadOnlyList<Entry> Read(IReadOnlyList<string> words, string directory)
    {
        List<Entry> entries = [];
        foreach (var key in KnownKeys.All.Where(key => key.Option is not null))
            if (Find(words, key.Option!, key.Form is FlagForm) is { } text) entries.Add(Of(key, ValueOf(key, text, directory)));
        return entries;
    }

    /// <summary>
    /// The place of the settings that such a daemon was told: null for the system's, and "none" if its command line says
    /// everything itself (<see cref="IsComplete"/>).
    /// </summary>
    public static string? PlaceOf(IReadOnlyList<string> words, string directory) =>
        Find(words, Config, isFlag: false) is { } given
        ? given == Files.SettingsPlace.None ? given : Path.GetFullPath(given, directory)
        : (IsComplete(option => Find(words, option, isFlag: false) is not null) ? Files.SettingsPlace.None : null);

    /// <summary>A command line that names mount and capacity describes a store, and no file is read for it.</summary>
    public static bool IsComplete(Func<string, bool> isGiven) => isGiven("--mount") && isGiven("--capacity");

    private static Written ValueOf(SettingKey key, string text, string directory) => key.Form switch
    {
        PathForm when text.Length > 0 => Written.Of(Path.GetFullPath(text, directory)),
        FlagForm => Written.Of(text != "false"),
        NumberForm when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) =>
            Written.Of(number),
        _ => Written.Of(text),
    };

    private static string? Find(IReadOnlyList<string> words, string option, bool isFlag)
    {
        for (var at = 0; at < words.Count; at++)
        {
            var word = words[at];
            if (word == option)
            {
                var next = at + 1 < words.Count ? words[at + 1] : "";
                return isFlag ? next == "false" ? next : "true" : next;
            }
            if (word.Length > option.Length && word[option.Length] is '=' or ':'
                && word.StartsWith(option, StringComparison.Ordinal)) return word[(option.Length + 1)..];
        }
        return null;
    }
}
