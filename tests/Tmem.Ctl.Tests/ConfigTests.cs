using System.Diagnostics;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Settings, shown and checked.</summary>
public sealed class ConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-config-").FullName;

    private string File => Path.Combine(_folder, "tmem.toml");

    [Fact]
    public void Every_setting_is_shown_with_its_place_and_the_text_is_a_file_itself()
    {
        Write("[store]\ncapacity = \"ram / 8\"\nlog = \"error\"\n[[pool]]\nname = \"a b\"\nlimit = \"25%\"");
        var shown = Run("config", "show", "--config", File);
        Assert.Equal((0, ""), (shown.Code, shown.Error));
        Assert.Contains(shown.Lines, line => line.StartsWith($"capacity = \"ram / 8\"  ", StringComparison.Ordinal)
            && line.Contains($"# {File}:2, ", StringComparison.Ordinal));
        Assert.Contains(shown.Lines, line => line.StartsWith("threads = 4 ", StringComparison.Ordinal)
            && line.EndsWith("# default", StringComparison.Ordinal));
        Assert.Contains($"# {File}", shown.Lines);

        Write(shown.Output);
        var again = Run("config", "show", "--config", File);
        Assert.Equal(0, again.Code);
        Assert.Equal(Values(shown), Values(again));
    }

    [Fact]
    public void Programs_get_the_place_of_each_value()
    {
        Write("[store]\ncapacity = \"1G\"");
        var shown = Run("config", "show", "--config", File, "--json").Json;
        Assert.Equal(File, shown["files"]![0]!.GetValue<string>());
        var capacity = shown["settings"]!.AsArray().First(one => one!["key"]!.GetValue<string>() == "capacity")!;
        Assert.Equal(("\"1G\"", 1L << 30, "file", File, 2), (capacity["value"]!.GetValue<string>(),
            capacity["bytes"]!.GetValue<long>(), capacity["from"]!.GetValue<string>(), capacity["file"]!.GetValue<string>(),
            capacity["line"]!.GetValue<int>()));
        var mount = shown["settings"]!.AsArray().First(one => one!["key"]!.GetValue<string>() == "mount")!;
        Assert.Equal("default", mount["from"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("show", "--config")]
    [InlineData("check", "--config")]
    [InlineData("check")]
    public void What_is_wrong_is_a_line_each_and_exit_code_1(string verb, string? option = null)
    {
        Write("[store]\nthreads = 0\ncapicity = 1");
        var run = option is null ? Run("config", verb, File) : Run("config", verb, option, File);
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Equal([$"tmemctl: {File}:2: threads: 0 is not possible; write a whole number from 1 to 64",
            $"tmemctl: {File}:3: capicity: [store] has no such key; did you mean capacity?"], run.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void A_program_gets_the_first_fault_and_their_number()
    {
        Write("[store]\nthreads = 0\ncapicity = 1");
        var run = Run("config", "check", File, "--json");
        Assert.Equal(1, run.Code);
        Assert.Contains("threads: 0 is not possible (and 1 more)", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_checked_in_their_order_as_one()
    {
        Write("[store]\nregion = \"/r\"");
        var other = Path.Combine(_folder, "other.toml");
        System.IO.File.WriteAllText(other, "[store]\nhuge-pages = true");
        Assert.Equal((0, $"nothing is wrong in {File}\n"), Run("config", "check", File) is var one ? (one.Code, one.Output)
            : default);
        Assert.Equal(0, Run("config", "check", other).Code);
        Assert.StartsWith($"tmemctl: {other}:2: huge-pages: it is for a store without a file, and region is set ({File}:2)",
            Run("config", "check", File, other).Error, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(_folder, "tmem.d"));
        System.IO.File.Move(other, Path.Combine(_folder, "tmem.d", "other.toml"));
        Assert.Contains("other.toml:2: huge-pages: ", Run("config", "check", _folder).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_place_is_named_in_one_way_and_one_without_files_is_refused()
    {
        Write("");
        var both = Run("config", "check", "--config", File, File);
        Assert.Equal((2, "tmemctl config check: --config and FILE: give one of them; see tmemctl config check --help\n"),
            (both.Code, both.Error));
        var empty = Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName;
        foreach (var words in (string[][])[["check", empty], ["check", "--config", empty], ["show", "--config", empty]])
        {
            var run = Run(["config", .. words]);
            Assert.Equal((1, ""), (run.Code, run.Output));
            Assert.StartsWith($"tmemctl: {empty}: there is no file of settings: neither tmem.toml nor tmem.d/*.toml; ",
                run.Error, StringComparison.Ordinal);
        }
        Assert.Equal((1, "tmemctl: the daemon reads no file of settings: its command line says it all; name one\n"),
            Run("config", "check", "--config", "none") is var none ? (none.Code, none.Error) : default);
    }

    /// <summary>What is checked without a name is what the daemon reads, with its options in their place.</summary>
    [Fact]
    public void The_daemon_on_the_socket_says_which_files_are_meant()
    {
        Write("[store]\nregion = \"/r\"");
        using var server = new FakeServer();
        // A process with a daemon's command line.
        using var daemon = Process.Start(new ProcessStartInfo("sh", ["-c", "read end", "tmemd", "--config", File, "--huge-pages"])
            { RedirectStandardInput = true })!;
        server.Processes = server.Processes with { KeeperPid = daemon.Id };
        foreach (var verb in (string[])["check", "show"])
        {
            var run = Ctl.Run(server, "config", verb);
            Assert.Equal(1, run.Code);
            Assert.Contains("huge-pages: it is for a store without a file", run.Error, StringComparison.Ordinal);
            Assert.Contains($"({File}:2)", run.Error, StringComparison.Ordinal);
        }
        Assert.Equal(0, Ctl.Run(server, "config", "check", File).Code);
        daemon.StandardInput.Close();
        daemon.WaitForExit();
    }

    /// <summary>The defaults would be taken for its own.</summary>
    [Theory]
    [InlineData("show")]
    [InlineData("check")]
    public void A_daemon_that_does_not_answer_is_no_daemon_without_options(string verb)
    {
        using var server = new FakeServer { Mute = true };
        var run = Ctl.Run(server, "config", verb, "--timeout", "0.2");
        Assert.Equal((ExitCode.Unreachable, ""), (run.Code, run.Output));
        Assert.StartsWith($"tmemctl: no daemon reached on {server.SocketPath}: it does not answer; ", run.Error,
            StringComparison.Ordinal);
        Write("");
        Assert.Equal(0, Ctl.Run(server, "config", "check", File).Code);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<string> Values(Outcome shown) => shown.Lines.Where(line => !line.StartsWith('#'))
        .Select(line => line.Split("  # ")[0].TrimEnd());

    private void Write(string text) => System.IO.File.WriteAllText(File, text);

    private Outcome Run(params string[] arguments) =>
        Ctl.Run(new FakeSwapSystem(), Path.Combine(_folder, "nobody"), arguments);
}
