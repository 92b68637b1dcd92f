using System.Text;
using CsCheck;
using Tmem.Control.Messages;
using Tmem.Settings.Files;

namespace Tmem.Settings.Tests;

/// <summary>What may lie where settings are looked for, and is none: refused by name, soon and without harm.</summary>
public class HostileFileTests
{
    [Fact]
    public void A_binary_file_is_no_text()
    {
        using var folder = new Folder();
        File.WriteAllBytes(folder.Write(""), [.. "[store]\n"u8, 0x7f, (byte)'E', 0, 1, 2]);
        Assert.Equal($"{folder.Path}/tmem.toml:2: there is a character 0 in it: it is no text; write it anew", Only(folder));
        File.WriteAllBytes(folder.Write(""), [.. "[store]\nmount = \"/"u8, 0xff, 0xfe, (byte)'"']);
        Assert.Equal($"{folder.Path}/tmem.toml: it is not UTF-8 from byte 18 on; save it as UTF-8", Only(folder));
        var noise = new byte[4096];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(folder.Write(""), noise);
        Assert.StartsWith($"{folder.Path}/tmem.toml", Only(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_10_megabytes_is_not_read()
    {
        using var folder = new Folder();
        folder.Write(string.Concat(Enumerable.Repeat("# nothing\n", 1 << 20)));
        Assert.Equal($"{folder.Path}/tmem.toml: it is longer than 1 MiB, and settings are short; is it another file?",
            Only(folder));
    }

    [Theory]
    [InlineData("[store]\nmount = ", "[")]
    [InlineData("[store]\nmount = ", "{a = ")]
    [InlineData("", "a.")]
    [InlineData("[store.", "a.")]
    [InlineData("", "[")]
    [InlineData("", "[[a]]\n")]
    public void Nesting_has_no_depth_that_breaks_the_reader(string begin, string again)
    {
        var text = begin + new StringBuilder().Insert(0, again, 50_000);
        var read = Folder.Of(text.Length > 900_000 ? text[..900_000] : text);
        Assert.Null(read.Settings);
        Assert.All(read.Faults, fault => Assert.True(fault.Line.Length < 400, fault.Line));
    }

    [Fact]
    public void A_file_of_nothing_but_wrong_keys_has_a_line_for_each()
    {
        var text = new StringBuilder("[store]\n");
        for (var i = 0; i < 20_000; i++) text.Append("key").Append(i).Append(" = 1\n");
        Assert.Equal(20_000, Folder.Of(text.ToString()).Faults.Count);
    }

    [Fact]
    public void No_text_at_all_breaks_the_reader()
    {
        string[] pieces = ["[store]", "[[pool]]", "[", "]", "{", "}", "=", " = ", "\n", "\r\n", "\"", "'", "\"\"\"", "#", ",",
            ".", "mount", "name", "limit", "threads", "on", "true", "1", "1e9", "0x", "_", "-", "1979-05-27", "inf", "\\u", "\\",
            "é", "\u0001", "\uFEFF", "25%", "ram"];
        Gen.Int[0, pieces.Length - 1].Array[0, 60].Select(at => string.Concat(at.Select(one => pieces[one]))).Sample(text =>
        {
            List<Fault> faults = [];
            foreach (var section in TomlFile.Read("f", text, faults))
                Assert.All(section.Entries, entry => Assert.NotNull(entry.Key));
            Assert.All(faults, fault => Assert.DoesNotContain('\n', fault.Line));
        }, iter: 100_000);
    }

    [Theory]
    [InlineData("mkdir", "is a directory; give a file")]
    [InlineData("mkfifo", "is no regular file; give one")]
    public void What_is_no_file_is_refused_and_not_waited_for(string program, string told)
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 8");
        var path = $"{folder.DropIns}/90-x.toml";
        Folder.Run(program, path);
        Assert.Equal($"{path}: the file is not read: {path} {told}; correct that, or name another file", Only(folder));
    }

    [Fact]
    public void A_link_to_nothing_is_refused()
    {
        using var folder = new Folder();
        folder.Write("");
        File.CreateSymbolicLink($"{folder.DropIns}/10.toml", "/nowhere/at/all");
        Assert.Contains("10.toml: the file is not read: /nowhere: No such file", Only(folder), StringComparison.Ordinal);
        File.Delete($"{folder.DropIns}/10.toml");
        File.Delete($"{folder.Path}/tmem.toml");
        File.CreateSymbolicLink($"{folder.Path}/tmem.toml", "gone.toml");
        Assert.Contains("tmem.toml: the file is not read: ", Only(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_drop_in_whose_name_is_not_UTF8_is_told()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 8", "10-\uFFFD.toml");
        Assert.Equal(8, folder.Read().Settings!.Store.Threads.Value);
        Folder.Run("bash", "-c", $"cp {folder.DropIns}/10-*.toml {folder.DropIns}/$'20-\\xe9.toml'");
        Assert.Equal($"{folder.DropIns}/20-\uFFFD.toml: its name is not UTF-8; rename it", Only(folder));
        // The runtime cannot remove it either.
        Folder.Run("rm", "-r", folder.DropIns);
    }

    [Fact]
    public void A_loop_of_links_is_refused()
    {
        using var folder = new Folder();
        folder.Write("");
        File.CreateSymbolicLink($"{folder.DropIns}/10.toml", "20.toml");
        File.CreateSymbolicLink($"{folder.DropIns}/20.toml", "10.toml");
        var read = folder.Read();
        Assert.Null(read.Settings);
        Assert.Equal(2, read.Faults.Count);
        Assert.All(read.Faults, fault => Assert.Contains("links", fault.Line, StringComparison.Ordinal));
    }

    [Fact]
    public void More_pools_than_a_store_can_have_are_refused_and_those_of_one_name_in_one_file_told()
    {
        using var folder = new Folder();
        const int most = ControlProtocol.MaximumPools;
        string Pools(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"[[pool]]\nname = \"p{i}\"\n"));
        folder.Write(Pools(most));
        Assert.Equal(most, folder.Read().Settings!.Pools.Count);
        folder.Write(Pools(10_000));
        Assert.Equal($"{folder.Path}/tmem.toml:{2 * most + 2}: name: pool 'p{most}' is the first of {10_000 - most} for which no "
            + $"store has a place; write at most {most} pools", Only(folder));
        folder.Write(string.Concat(Enumerable.Repeat("[[pool]]\nname = \"p\"\n", 10_000)));
        Assert.Equal(9_999, folder.Read().Faults.Count);
    }

    [Fact]
    public void A_drop_in_directory_that_is_a_file_is_told()
    {
        using var folder = new Folder();
        File.WriteAllText(folder.DropIns, "");
        Assert.Contains("tmem.d: the directory cannot be read: ", Only(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_told()
    {
        using var folder = new Folder();
        folder.Write("");
        // Nobody can read the beginning of it, root included.
        File.CreateSymbolicLink($"{folder.DropIns}/10.toml", $"/proc/{Environment.ProcessId}/mem");
        Assert.Contains("10.toml: it cannot be read: ", Only(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chmod", "666", "others may write to ")]
    [InlineData("chmod", "620", "others may write to ")]
    [InlineData("chown", "65534", "belongs to user 65534")]
    public void A_file_that_another_user_could_write_is_refused(string program, string argument, string told)
    {
        if (program == "chown" && Environment.UserName != "root") Assert.Skip("chown needs root; run as root");
        using var folder = new Folder();
        var path = folder.Write("[store]\nthreads = 8");
        Assert.Equal(8, folder.Read().Settings!.Store.Threads.Value);
        Folder.Run(program, argument, path);
        Assert.Contains(told, Only(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_that_another_user_could_write_to_is_refused()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 8", "10.toml");
        Folder.Run("chmod", "777", folder.DropIns);
        Assert.Contains("others may write to ", Only(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_of_300_bytes_in_a_path_is_told()
    {
        var path = $"/tmp/{new string('x', 300)}";
        Assert.Contains("File name too long", Assert.Single(SettingsReader.Read(path, [], Folder.Ram).Faults).Line,
            StringComparison.Ordinal);
    }

    private static string Only(Folder folder)
    {
        var read = folder.Read();
        Assert.Null(read.Settings);
        var line = Assert.Single(read.Faults).Line;
        Assert.DoesNotContain('\n', line);
        return line;
    }
}
