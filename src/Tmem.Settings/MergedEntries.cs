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
    private const string NameKey = "name";

    private readonly Dictionary<(string Section, string Key), Entry> _entries = [];
    private readonly List<string> _names = [];
    private readonly Dictionary<string, Dictionary<string, Entry>> _pools = new(StringComparer.Ordinal);

    /// <summary>The pools' names, in the order in which they were first written.</summary>
    public IReadOnlyList<string> Pools => _names;

    /// <summary>Whether a value of a key was wrong somewhere: what follows from it is not worth a fault of its own.</summary>
    public HashSet<SettingKey> Wrong { get; } = [];

    /// <summary>What holds for a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="pool">The pool's name, if it is a pool's key.</param>
    public Entry Of(SettingKey key, string? pool = null)
    {
        var found = pool is null ? _entries.GetValueOrDefault((key.Section, key.Name))
            : _pools[pool].GetValueOrDefault(key.Name);
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
        Dictionary<string, Origin> here = new(StringComparer.Ordinal);
        foreach (var section in sections)
        {
            if (section.Name.Length == 0) RefuseOutside(section);
            else if (!KnownKeys.Sections.Contains(section.Name)) RefuseSection(section);
            else if (section.IsOneOfMany != (section.Name == KnownKeys.Pool))
                faults.Add(new(section.From, $"[{section.Name}]", section.IsOneOfMany ? "there is one such section"
                    : "there can be many pools", $"write {Header(section.Name)}"));
            else if (section.Name == KnownKeys.Pool) AddPool(section, here);
            else
                foreach (var entry in section.Entries)
                    if (Check(section.Name, entry)) _entries[(section.Name, entry.Key)] = entry;
        }
    }

    private void AddPool(Section section, Dictionary<string, Origin> here)
    {
        var sound = section.Entries.Where(entry => Check(KnownKeys.Pool, entry)).ToList();
        if (sound.Find(entry => entry.Key == NameKey) is not { Value.Text: var name } named)
        {
            if (section.Entries.TrueForAll(entry => entry.Key != NameKey))
                faults.Add(new(section.From, "[[pool]]", "it has no name", "write name = \"...\" in it"));
            return;
        }
        if (!here.TryAdd(name, named.From))
        {
            faults.Add(new(named.From, NameKey, $"pool '{Fault.Shorten(name)}' is there a second time, after {here[name]}",
                "write its keys in one place"));
            return;
        }
        if (!_pools.TryGetValue(name, out var pool))
        {
            _pools.Add(name, pool = []);
            _names.Add(name);
        }
        foreach (var entry in sound) pool[entry.Key] = entry;
    }

    private bool Check(string section, Entry entry)
    {
        if (KnownKeys.Find(section, entry.Key) is not { } key)
        {
            faults.Add(new(entry.From, entry.Key, $"{Header(section)} has no such key", Instead(section, entry.Key)));
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
            : "give [store], [swap] or [[pool]]"));

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
