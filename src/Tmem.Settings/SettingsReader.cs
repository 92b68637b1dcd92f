using Tmem.Settings.Files;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings;

/// <summary>What was read: all settings, or all that is wrong with them.</summary>
/// <param name="Settings">Null if anything is wrong: nothing of it is to be applied then.</param>
/// <param name="Shown">Every key that holds, in the order of the manual.</param>
/// <param name="Faults">What is wrong, in the order of the files.</param>
/// <param name="Files">The files that were there, the weakest first.</param>
internal sealed record SettingsRead(TmemSettings? Settings, IReadOnlyList<ShownSetting> Shown, IReadOnlyList<Fault> Faults,
    IReadOnlyList<string> Files);

/// <summary>A key that holds, as it was written.</summary>
/// <param name="Section">"store", "swap" or "pool".</param>
/// <param name="Pool">The pool's name; null outside of one.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">In TOML.</param>
/// <param name="Bytes">Of a size: what it comes to; else null.</param>
/// <param name="From">Where it was written.</param>
internal sealed record ShownSetting(string Section, string? Pool, string Key, string Value, long? Bytes, Origin From);

/// <summary>Reads the settings: files over defaults, the later file over the earlier, options over files.</summary>
internal static class SettingsReader
{
    /// <summary>Reads what holds.</summary>
    /// <param name="place">Of the files; null for the system's (<see cref="SettingsPlace.Files"/>).</param>
    /// <param name="options">What a command line says, which wins.</param>
    /// <param name="ram">The machine's memory in bytes.</param>
    public static SettingsRead Read(string? place, IEnumerable<Entry> options, long ram)
    {
        List<Fault> faults = [];
        var files = SettingsPlace.Files(place, faults);
        return Read(files, options, ram, faults);
    }

    /// <summary>The same from a list of files, in their order.</summary>
    public static SettingsRead Read(IReadOnlyList<string> files, IEnumerable<Entry> options, long ram) =>
        Read(files, options, ram, []);

    private static SettingsRead Read(IReadOnlyList<string> files, IEnumerable<Entry> options, long ram, List<Fault> faults)
    {
        var merged = new MergedEntries(faults);
        foreach (var file in files)
            if (TrustedText.Read(file, faults) is { } text) merged.Add(TomlFile.Read(file, text, faults));
        foreach (var option in options) merged.AddOption(option);
        var typed = new TypedSettings(merged, ram, faults);
        var settings = typed.Make();
        return new(faults.Count == 0 ? settings : null, typed.Shown, faults, files);
    }
}
