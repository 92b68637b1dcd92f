using System.Text;
using Tmem.Engine.Tests.Embedding;
using Tmem.Settings.Keys;

namespace Tmem.Settings.Tests;

/// <summary>
/// The default file and the tables of docs/settings.md are made from <see cref="KnownKeys"/>: <c>TMEM_APPROVE=1</c> writes
/// them.
/// </summary>
public class DocumentedKeysTests
{
    private const int Width = 100;

    private static string DefaultFile => Path.Combine(Repository.Root, "src/Tmem.Settings/tmem.toml");

    private static string Manual => Path.Combine(Repository.Root, "docs/settings.md");

    private static bool Approves => Environment.GetEnvironmentVariable("TMEM_APPROVE") == "1";

    [Fact]
    public void The_default_file_is_that_of_the_keys()
    {
        if (Approves) File.WriteAllText(DefaultFile, FileOfDefaults());
        else Assert.Equal(FileOfDefaults(), File.ReadAllText(DefaultFile));
    }

    [Theory]
    [InlineData(KnownKeys.Store)]
    [InlineData(KnownKeys.Swap)]
    [InlineData(KnownKeys.Pool)]
    public void The_manual_has_the_table_of_the_keys(string section)
    {
        var text = File.ReadAllText(Manual);
        const string head = "| key | value | default | example | a change takes effect |\n";
        var begin = text.IndexOf(head, text.IndexOf($"### `{Header(section)}`", StringComparison.Ordinal),
            StringComparison.Ordinal);
        Assert.True(begin >= 0, $"docs/settings.md has no table below {Header(section)}");
        var end = text.IndexOf("\n\n", begin, StringComparison.Ordinal) + 1;
        Assert.True(end > 0, "the table has no end");
        var table = new StringBuilder(head).Append("|---|---|---|---|---|\n");
        foreach (var key in KnownKeys.Of(section))
            table.Append($"| `{key.Name}` | {key.Description} {Sentence(key.Form.Words)} | `{key.Default}` | `{key.Example}` | "
                + $"{When(key.Effect)} |\n");
        if (Approves) File.WriteAllText(Manual, text[..begin] + table + text[end..]);
        else Assert.Equal(table.ToString(), text[begin..end]);
    }

    [Fact]
    public void The_default_file_says_nothing_and_uncommented_the_defaults()
    {
        var text = File.ReadAllText(DefaultFile);
        Assert.All(Folder.Of(text).Shown, one => Assert.Equal(Origin.Default, one.From));

        // A key that is commented out has no blank behind the sign.
        var lines = text.Split('\n').Select(line => line.StartsWith('#') && line.Length > 1 && line[1] != ' ' ? line[1..] : line);
        var read = Folder.Of(string.Join('\n', lines));
        Assert.Empty(read.Faults);
        Assert.Equal(KnownKeys.All.Select(key => (key.Section, key.Name)), read.Shown.Select(one => (one.Section, one.Key)));
        Assert.All(read.Shown, one => Assert.NotEqual(Origin.Default, one.From));
        Assert.Equal(KnownKeys.All.Select(key => key.Name == "name" ? key.Example : key.Default),
            read.Shown.Select(one => one.Value));
    }

    [Fact]
    public void Every_default_and_every_example_is_a_value_of_its_key()
    {
        foreach (var key in KnownKeys.All)
        {
            if (key.Name != "name") Assert.Null(key.Form.Check(key.DefaultValue));
            // Users and groups of examples may be unknown on this machine.
            if (key.Form is not AccountForm) Assert.Null(key.Form.Check(SettingKey.ValueOf(key.Example)));
            Assert.EndsWith(".", key.Description, StringComparison.Ordinal);
            Assert.Single(KnownKeys.All, one => one.Section == key.Section && one.Name == key.Name);
        }
    }

    private static string FileOfDefaults()
    {
        var text = new StringBuilder();
        Comment(text, "The settings of tmem, with their defaults: each key that is commented out holds as it stands here. Leave "
            + "this file as it is, and write what differs to /etc/tmem/tmem.toml or a file in /etc/tmem/tmem.d. "
            + "docs/settings.md explains sizes, the order of files, and what a change needs.");
        foreach (var section in KnownKeys.Sections)
        {
            text.Append('\n').Append(section == KnownKeys.Pool ? "#" : "").Append(Header(section)).Append('\n');
            foreach (var key in KnownKeys.Of(section))
            {
                text.Append('\n');
                Comment(text, $"{key.Description} {Sentence(key.Form.Words)} "
                    + (key.Effect == Effect.Restart ? "Needs a restart." : ""));
                text.Append($"#{key.Name} = {(key.Name == "name" ? key.Example : key.Default)}\n");
            }
        }
        return text.ToString();
    }

    private static void Comment(StringBuilder text, string words)
    {
        var line = "#";
        foreach (var word in words.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length + 1 + word.Length > Width)
            {
                text.Append(line).Append('\n');
                line = "#";
            }
            line += " " + word;
        }
        text.Append(line).Append('\n');
    }

    private static string Header(string section) => section == KnownKeys.Pool ? "[[pool]]" : $"[{section}]";

    private static string Sentence(string words) => char.ToUpperInvariant(words[0]) + words[1..] + ".";

    private static string When(Effect effect) => effect switch
    {
        Effect.Restart => "at a restart",
        Effect.Reload => "at a reload",
        Effect.Making => "when the pool is made",
        _ => "when swap is turned on",
    };
}
