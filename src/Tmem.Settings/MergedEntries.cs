using Tmem.Control.Messages;
using Tmem.Settings.Files;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings;

/// <summary>
/// The entries of all files, the later over the earlier. Each is looked at where it stands; one that is wrong is a fault and
/// overrides nothing.
/// </summary>
internal sealed class MergedEntries(List<Fault> faults)
{
    private readonly Dictionary<(string Section, string Key), Entry> _entries = [];
    private readonly List<(string Section, string Name)> _names = [];
    private readonly Dictionary<(string Section, string Name), Dictionary<string, Entry>> _many = [];

    /// <summary>The names of a section of which there can be many, in the order in which they were first written.</summary>
    public IEnumerable<string> Names(string section) => _names.Where(one => one.Section == section).Select(one => one.Name);

    /// <summary>Whether any key of a section stands in a file, outside of those of which there can be many.</summary>
    public bool Has(string section) => _entries.Keys.Any(one => one.Section == section);

    /// <summary>Whether a value of a key was wrong somewhere: what follows from it is not worth a fault of its own.</summary>
    public HashSet<SettingKey> Wrong { get; } = [];

    /// <summary>What holds for a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="name">Of the section, if it is one of many.</param>
    public Entry Of(SettingKey key, string? name = null)
    {
        var found = name is null ? _entries.GetValueOrDefault((key.Section, key.Name))
            : _many[(key.Section, name)].GetValueOrDefault(key.Name);
        return found ?? new(key.Name, key.DefaultValue, Origin.Default);
    }

    /// <summary>Takes an option of the command line.</summary>
    public void AddOption(Entry entry)
    {
        if (Check(KnownKeys.Store, entry)) _entries[(KnownKeys.Store, entry.Key)] = entry;
    }

    /// <summary>Takes the sections of one file.</summary>
    public void Add(IReadOnlyList<Section> sections)
    {
        Dictionary<(string, string), Origin> here = [];
        foreach (var section in sections)
        {
            if (section.Name.Length == 0) RefuseOutside(section);
            else if (!KnownKeys.Sections.Contains(section.Name)) RefuseSection(section);
            else if (section.IsOneOfMany ? KnownKeys.NameOf(section.Name) is null : section.Name == KnownKeys.Pool)
                faults.Add(new(section.From, $"[{section.Name}]", section.IsOneOfMany ? "there is one such section"
                    : "there can be many pools", $"write {Header(section.Name)}"));
            else if (section.IsOneOfMany && sections.FirstOrDefault(one => !one.IsOneOfMany && one.Name == section.Name)
                is { } single)
                faults.Add(new(section.From, $"[[{section.Name}]]", $"[{section.Name}] stands in the same file ({single.From}), "
                    + "and TOML has one or the other", $"write [[{section.Name}]] there too, or this in another file"));
            else if (section.IsOneOfMany) AddOne(section, here);
            else
                foreach (var entry in section.Entries)
                    if (Check(section.Name, entry)) _entries[(section.Name, entry.Key)] = entry;
        }
    }

    private void AddOne(Section section, Dictionary<(string, string), Origin> here)
    {
        var nameKey = KnownKeys.NameOf(section.Name)!;
        var sound = section.Entries.Where(entry => Check(section.Name, entry)).ToList();
        if (sound.Find(entry => entry.Key == nameKey) is not { Value.Text: var name } named)
        {
            if (section.Entries.TrueForAll(entry => entry.Key != nameKey))
                faults.Add(new(section.From, $"[[{section.Name}]]", $"it has no {nameKey}", $"write {nameKey} = \"...\" in it"));
            return;
        }
        if (!here.TryAdd((section.Name, name), named.From))
        {
            faults.Add(new(named.From, nameKey,
                $"{section.Name} '{Fault.Shorten(name)}' is there a second time, after {here[(section.Name, name)]}",
                "write its keys in one place"));
            return;
        }
        if (!_many.TryGetValue((section.Name, name), out var one))
        {
            _many.Add((section.Name, name), one = []);
            _names.Add((section.Name, name));
        }
        foreach (var entry in sound) one[entry.Key] = entry;
    }

    private bool Check(string section, Entry entry)
    {
        if (KnownKeys.Find(section, entry.Key) is not { } key)
        {
            faults.Add(new(entry.From, entry.Key, $"{Header(section)} has no such key",
                section == KnownKeys.Swap && entry.Value == Written.Section ? "devices are written as [[swap]], each with a pool"
                    : Instead(section, entry.Key)));
            return false;
        }
        if (key.Form.Check(entry.Value) is not var (problem, remedy)) return true;
        faults.Add(new(entry.From, entry.Key, problem, remedy));
        _ = Wrong.Add(key);
        return false;
    }

    private void RefuseOutside(Section section)
    {
        foreach (var entry in section.Entries)
        {
            var remedy = KnownKeys.Sections.Contains(entry.Key) ? $"write {Header(entry.Key)} on a line, and its keys below"
                : Home(entry.Key) is { } home ? $"write it below {Header(home)}"
                : Instead("", entry.Key);
            faults.Add(new(entry.From, entry.Key, "it stands in no section", remedy));
        }
    }

    private void RefuseSection(Section section) => faults.Add(new(section.From, $"[{section.Name}]", "there is no such section",
        Nearest.Of(section.Name, KnownKeys.Sections) is { } meant ? $"did you mean {Header(meant)}?"
            : "give [store], [swap], [[swap]] or [[pool]]"));

    /// <summary>The key that was meant: nearest in its section, of this name in another, or nearest in any.</summary>
    private static string Instead(string section, string name)
    {
        if (Nearest.Of(name, KnownKeys.Of(section).Select(key => key.Name)) is { } near) return $"did you mean {near}?";
        if (Home(name) is { } home) return $"it is one of {Header(home)}";
        if (Nearest.Of(name, KnownKeys.All.Select(key => key.Name)) is { } far)
            return $"did you mean {far} of {Header(Home(far)!)}?";
        return section.Length == 0 ? "remove it" : $"give {string.Join(", ", KnownKeys.Of(section).Select(key => key.Name))}";
    }

    private static string? Home(string name) => KnownKeys.All.FirstOrDefault(key => key.Name == name)?.Section;

    private static string Header(string section) => section switch
    {
        "" => "the file",
        KnownKeys.Pool => "[[pool]]",
        _ => $"[{section}]",
    };
}
