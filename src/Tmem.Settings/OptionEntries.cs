using System.Globalization;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings;

/// <summary>The options of a command line of tmemd as entries that win over all files.</summary>
internal static class OptionEntries
{
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
        words = Typed(words);
        List<Entry> entries = [];
        foreach (var key in KnownKeys.All.Where(key => key.Option is not null))
            if (Find(words, key.Option!, key.Form is FlagForm) is { } text) entries.Add(Of(key, ValueOf(key, text, directory)));
        return entries;
    }

    /// <summary>
    /// The place of the settings that such a daemon was told: null for the system's, and "none" if its command line says
    /// everything itself.
    /// </summary>
    public static string? PlaceOf(IReadOnlyList<string> words, string directory)
    {
        var typed = Typed(words);
        if (Find(typed, DaemonStart.Config, isFlag: false) is { } given)
            return given == DaemonStart.NoFile ? given : Path.GetFullPath(given, directory);
        // A command line that names both describes a store, and no file is read for it.
        return Find(typed, "--mount", isFlag: false) is not null && Find(typed, "--capacity", isFlag: false) is not null
            ? DaemonStart.NoFile : null;
    }

    /// <summary>
    /// The command line of a daemon for these settings: what was typed, and behind it what the files say, if they differ from the
    /// defaults.
    /// </summary>
    /// <param name="typed">What was typed.</param>
    /// <param name="read">What was read, options included.</param>
    public static IReadOnlyList<string> Complete(IReadOnlyList<string> typed, SettingsRead read)
    {
        List<string> words = [.. typed, DaemonStart.SettingsFrom,
            read.Files.Count == 0 ? DaemonStart.NoFile : string.Join(", ", read.Files)];
        if (read.Files.Count == 0 || read.Settings is not { Store: var store }) return words;
        void Add<T>(string option, Setting<T> setting, string value)
        {
            if (setting.From.File is not null) words.AddRange([option, value]);
        }

        // These two have to be there.
        if (store.Mount.From.Option is null) words.AddRange(["--mount", store.Mount.Value]);
        if (store.Capacity.From.Option is null) words.AddRange(["--capacity", Text(store.Capacity.Value)]);
        Add("--mount-options", store.MountOptions, MountFlags.Describe(store.MountOptions.Value));
        Add("--mount-source", store.MountSource, store.MountSource.Value);
        if (store.Region.Value.Length > 0)
        {
            Add("--region", store.Region, store.Region.Value);
            Add("--sync-interval", store.SyncInterval, Text(store.SyncInterval.Value));
        }
        if (store.HugePages is { Value: true, From.File: not null }) words.Add("--huge-pages");
        Add("--threads", store.Threads, Text(store.Threads.Value));
        if (store.Spin.Value is { } spin) Add("--spin", store.Spin, Text(spin));
        Add("--codec", store.Codec, Word("codec"));
        Add("--recompress", store.Recompress, Text(store.Recompress.Value));
        Add("--recompress-level", store.RecompressLevel, Text(store.RecompressLevel.Value));
        Add("--log", store.Log, Word("log"));
        Add("--socket", store.Socket, store.Socket.Value);
        if (store.SocketGroup.Value is { } group) Add("--socket-group", store.SocketGroup, Text(group));
        return words;

        string Word(string key) => read.Shown.First(one => one.Section == KnownKeys.Store && one.Key == key).Value.Trim('"');
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What a person typed of it.</summary>
    private static string[] Typed(IReadOnlyList<string> words) => [.. words.TakeWhile(word => word != DaemonStart.SettingsFrom)];

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
