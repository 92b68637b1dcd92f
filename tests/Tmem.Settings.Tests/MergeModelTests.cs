using CsCheck;

namespace Tmem.Settings.Tests;

/// <summary>Files over files, against a dictionary into which they are written one after the other.</summary>
public class MergeModelTests
{
    private static readonly (string Section, string Key, string[] Values)[] s_keys =
    [
        ("store", "mount", ["\"/a\"", "\"/b\"", "'/c'"]),
        ("store", "threads", ["1", "2", "0x10", "6_4"]),
        ("store", "log", ["\"debug\"", "\"error\""]),
        ("store", "capacity", ["\"25%\"", "\"ram / 2\"", "1073741824"]),
        ("swap", "on", ["true", "false"]),
        ("swap", "priority", ["0", "32767"]),
        ("pool", "kind", ["\"persistent\"", "\"ephemeral\""]),
        ("pool", "limit", ["\"none\"", "\"1M\"", "\"10%\""]),
        ("pool", "mode", ["\"0700\"", "\"1777\""]),
    ];

    [Fact]
    public void The_last_file_that_writes_a_key_wins() => Files().Sample(files =>
    {
        using var folder = new Folder();
        Dictionary<(string Section, string Pool, string Key), (string Value, string From)> model = [];
        for (var number = 0; number < files.Count; number++)
        {
            var (text, entries) = Write(files[number]);
            var path = folder.Write(text, number == 0 ? null : $"{number:00}.toml");
            foreach (var (key, (value, line)) in entries) model[key] = (value, $"{path}:{line}");
        }
        var read = folder.Read();
        Assert.Empty(read.Faults);
        var written = read.Shown.Where(one => one.From != Origin.Default).ToDictionary(
            one => (one.Section, one.Pool ?? "", one.Key), one => (one.Value, one.From.ToString()));
        Assert.Equal(model.OrderBy(one => one.Key).Select(one => (one.Key, Plain(one.Value.Value), one.Value.From)),
            written.OrderBy(one => one.Key).Select(one => (one.Key, one.Value.Value, one.Value.Item2)));
    }, iter: 300);

    private static string Plain(string value) => value switch
    {
        "0x10" => "16",
        "6_4" => "64",
        _ => value.Replace('\'', '"'),
    };

    /// <summary>Some files; each is, for a pool's name or none and a key, which of its values it gives.</summary>
    private static Gen<List<Dictionary<(string Pool, int Key), int>>> Files() => Gen.Select(Gen.Int[0, s_keys.Length - 1],
        Gen.Bool.Select(isOne => isOne ? "one" : "two"), Gen.Int[0, 11]).List[0, 12].Select(rows =>
        {
            Dictionary<(string, int), int> file = [];
            foreach (var (key, pool, value) in rows) file[(s_keys[key].Section == "pool" ? pool : "", key)] = value;
            return file;
        }).List[1, 4];

    private static (string Text, Dictionary<(string, string, string), (string Value, int Line)> Entries) Write(
        Dictionary<(string Pool, int Key), int> file)
    {
        List<string> lines = ["# a file"];
        Dictionary<(string, string, string), (string, int)> entries = [];
        foreach (var section in file.GroupBy(one => (s_keys[one.Key.Key].Section, one.Key.Pool)))
        {
            var (name, pool) = section.Key;
            lines.Add(pool.Length == 0 ? $"[{name}]" : "[[pool]]");
            if (pool.Length > 0) Add("name", $"\"{pool}\"");
            foreach (var ((_, key), value) in section)
                Add(s_keys[key].Key, s_keys[key].Values[value % s_keys[key].Values.Length]);

            void Add(string key, string value)
            {
                lines.Add($"  {key} = {value} # why");
                entries[(name, pool, key)] = (value, lines.Count);
            }
        }
        return (string.Join('\n', lines), entries);
    }
}
