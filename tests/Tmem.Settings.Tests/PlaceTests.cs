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
    [InlineData(null, "tmemd", "--threads", "5", "--settings-from", "none", "--mount", "/m", "--capacity", "1G")]
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

    [Fact]
    public void The_command_line_of_a_daemon_has_what_the_files_say_behind_what_was_typed()
    {
        using var folder = new Folder();
        folder.Write("[store]\ncapacity = \"25%\"\nregion = \"/r\"\nthreads = 8\nspin = \"auto\"\nlog = \"error\"\n"
            + "codec = \"zstd\"");
        folder.Write("[store]\nsync-interval = 7\nsocket = \"/s\"\nhuge-pages = false", "10.toml");
        string[] typed = ["--config", folder.Path, "--threads", "2"];
        var read = SettingsReader.Read(OptionEntries.PlaceOf(typed, "/"), OptionEntries.Read(typed, "/"), Folder.Ram);
        var line = OptionEntries.Complete(typed, read);
        Assert.Equal([.. typed, "--settings-from", $"{folder.Path}/tmem.toml, {folder.DropIns}/10.toml", "--mount", "/mnt/tmem",
            "--capacity", "4294967296", "--region", "/r", "--sync-interval", "7", "--codec", "zstd", "--log", "error", "--socket",
            "/s"], line);

        // And it is read again as it was: a reload finds the same files and the same options.
        Assert.Equal(folder.Path, OptionEntries.PlaceOf(line, "/"));
        Assert.Equal(OptionEntries.Read(typed, "/"), OptionEntries.Read(line, "/"));
    }

    [Fact]
    public void Without_a_file_nothing_stands_behind_what_was_typed() => Assert.Equal(
        ["--mount", "/m", "--settings-from", "none"],
        OptionEntries.Complete(["--mount", "/m"], SettingsReader.Read("none", [], Folder.Ram)));

    [Theory]
    [InlineData("[store]\nmount = \"/m\"\nsocket = \"/m/sock\"", ":3: socket: '/m/sock' lies below the mount (")]
    [InlineData("[store]\nregion = \"/mnt/tmem/r\"", ":2: region: '/mnt/tmem/r' lies below the mount (default)")]
    [InlineData("[store]\nmount = \"/run/\"", ":2: socket: '/run/tmem/tmemd.sock' lies below the mount (")]
    public void Nothing_of_a_daemon_lies_below_its_mount(string text, string told) =>
        Assert.Contains(told, Folder.FaultOf(text), StringComparison.Ordinal);
}
