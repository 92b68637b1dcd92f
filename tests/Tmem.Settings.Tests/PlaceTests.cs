using Tmem.Settings.Files;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings.Tests;

/// <summary>Which files are read, in which order, and what stands above them.</summary>
public class PlaceTests
{
    [Fact]
    public void Drop_ins_are_read_in_the_order_of_their_names_and_nothing_else_is()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 1\nspin = 7");
        folder.Write("[store]\nthreads = 3", "20-b.toml");
        folder.Write("[store]\nthreads = 2", "10-a.toml");
        foreach (var other in (string[])["30.toml~", "30.toml.dpkg-old", ".40.toml", "README"])
            folder.Write("this is no TOML", other);
        var read = folder.Read();
        Assert.Equal(["tmem.toml", "10-a.toml", "20-b.toml"], read.Files.Select(Path.GetFileName));
        Assert.Equal(3, read.Settings!.Store.Threads.Value);
        Assert.Equal(new Origin($"{folder.DropIns}/20-b.toml", 2), read.Settings.Store.Threads.From);
        Assert.Equal(7, read.Settings.Store.Spin.Value);
        Assert.Equal(Origin.Default, read.Settings.Store.Mount.From);
    }

    [Fact]
    public void A_file_that_is_named_is_read_alone_and_has_to_be_there()
    {
        using var folder = new Folder();
        var path = folder.Write("[store]\nthreads = 1");
        folder.Write("[store]\nthreads = 2", "10.toml");
        Assert.Equal(1, SettingsReader.Read(path, [], Folder.Ram).Settings!.Store.Threads.Value);
        Assert.Contains("No such file", Assert.Single(SettingsReader.Read(path + "x", [], Folder.Ram).Faults).Line,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Without_files_the_defaults_hold()
    {
        var read = SettingsReader.Read(SettingsPlace.None, [], Folder.Ram);
        Assert.Empty(read.Files);
        Assert.Equal(Folder.Ram / 4, read.Settings!.Store.Capacity.Value);
        Assert.Equal("/mnt/tmem", read.Settings.Store.Mount.Value);
        Assert.All(read.Shown, one => Assert.Equal(Origin.Default, one.From));
    }

    [Fact]
    public void Options_win_over_files()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 1\nlog = \"debug\"");
        var store = folder.Read(OptionEntries.Read(["tmemd", "--threads", "9", "--mount=m", "--huge-pages"], "/root"))
            .Settings!.Store;
        Assert.Equal(new Setting<int>(9, new(null, Option: "--threads")), store.Threads);
        Assert.Equal("/root/m", store.Mount.Value);
        Assert.True(store.HugePages.Value);
        Assert.Equal("tmem.toml", Path.GetFileName(store.Log.From.File));
    }

    [Theory]
    [InlineData(null, "tmemd")]
    [InlineData(null, "tmemd", "--mount", "/m", "--threads", "5")]
    [InlineData("none", "tmemd", "--mount", "/m", "--capacity", "1G")]
    [InlineData("none", "dotnet", "tmemd.dll", "--capacity=1G", "--mount=/m")]
    [InlineData("/etc/other", "tmemd", "--config", "/etc/other", "--mount", "/m", "--capacity", "1G")]
    [InlineData("/home/x.toml", "tmemd", "--config=x.toml")]
    [InlineData("none", "tmemd", "--config", "none")]
    public void A_daemons_command_line_tells_where_its_settings_are(string? place, params string[] words) =>
        Assert.Equal(place, OptionEntries.PlaceOf(words, "/home"));

    [Fact]
    public void A_bad_option_is_named_as_an_option()
    {
        var key = KnownKeys.Find(KnownKeys.Store, "capacity")!;
        var read = SettingsReader.Read(SettingsPlace.None, [OptionEntries.Of(key, Written.Of("17G"))], Folder.Ram);
        Assert.StartsWith("--capacity: capacity: '17G' is more than the 16.0 GiB", Assert.Single(read.Faults).Line,
            StringComparison.Ordinal);
    }
}
