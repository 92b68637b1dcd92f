using System.CommandLine;
using System.Text.RegularExpressions;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

public sealed class CommandLineTests
{
    private const long Memory = 8L << 30;
    private const string FilesAreRead = "files are read here";

    private static (DaemonOptions? Options, string Output, int Code) Run(params string[] arguments)
    {
        DaemonOptions? options = null;
        var command = CommandLine.Create(o =>
        {
            options = o;
            return 0;
        }, Memory, (file, _) => file.Length, () => FilesAreRead);
        using var output = new StringWriter();
        var code = Usage.Run(command, "tmemd", arguments, new InvocationConfiguration { Output = output, Error = output });
        return (options, output.ToString(), code);
    }

    private sealed class FullWriter : StringWriter
    {
        public override void Write(char value) => throw new IOException("No space left on device");
        public override void Write(string? value) => throw new IOException("No space left on device");
        public override void Write(char[] buffer, int index, int count) => throw new IOException("No space left on device");
    }

    /// <summary>The manual page has all of them, which the tests of manuals see to.</summary>
    [Fact]
    public void The_readme_shows_no_option_that_is_not_there()
    {
        var shown = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "README.md"))
            .Single(line => line.StartsWith("| `tmemd` |", StringComparison.Ordinal));
        var options = CommandLine.Create(_ => 0).Options.Where(option => !option.Hidden).Select(option => option.Name);
        Assert.Empty(Regex.Matches(shown, "--[a-z-]+").Select(option => option.Value).Except([.. options, "--help"]));
    }

    [Fact]
    public void The_least_that_is_needed()
    {
        var options = Run("--mount", "/mnt/tmem", "--capacity", "2GiB").Options!;
        Assert.Equal(("/mnt/tmem", 2L << 30, null, 4),
            (options.MountPoint, options.CapacityBytes, options.RegionPath, options.Threads));
        Assert.Equal(DaemonOptions.DefaultSocketPath, options.SocketPath);
        Assert.False(options.HugePages);
        Assert.Equal(TimeSpan.FromMicroseconds(DaemonOptions.DefaultSpinMicroseconds), options.Spin);
    }

    [Theory]
    [InlineData("ro", MountFlags.Usual | MountFlags.ReadOnly)]
    [InlineData("suid,dev,noexec", MountFlags.NoAccessTimes | MountFlags.NoExecute)]
    [InlineData("ro,nosymfollow,rw", MountFlags.Usual | MountFlags.NoLinks)]
    public void Flags_of_the_mount_begin_with_the_usual_ones(string words, uint flags)
    {
        var options = Run("--mount", "m", "--capacity", "1M", "--mount-options", words, "--mount-source", "none").Options!;
        Assert.Equal((flags, "none"), (options.MountFlags, options.MountSource));
    }

    [Theory]
    [InlineData("relatime")]
    [InlineData("")]
    [InlineData("ro,")]
    public void A_word_that_is_no_flag_of_the_mount_is_refused_with_those_that_are(string words) => Assert.Contains(
        "is not known; give some of ro, rw, nosuid, suid, nodev, dev, noexec, exec, nosymfollow, symfollow;",
        Run("--mount", "m", "--capacity", "1M", "--mount-options", words).Output, StringComparison.Ordinal);

    [Fact]
    public void Everything()
    {
        var options = Run("--mount", "m", "--capacity", "1M", "--region", "r", "--sync-interval", "0", "--drop-damaged",
            "--socket", "s", "--threads", "8", "--spin", "0", "--log", "debug").Options;
        Assert.Equal(new DaemonOptions
        {
            MountPoint = "m", CapacityBytes = 1 << 20, RegionPath = "r", SyncInterval = TimeSpan.Zero, SocketPath = "s", Threads =
                8, Spin = TimeSpan.Zero, DropDamaged = true, LogLevel = LogLevel.Debug,
        }, options);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--check-region", "r")]
    public void A_result_that_cannot_be_written_is_one_line_and_exit_code_1(params string[] arguments)
    {
        var command = CommandLine.Create(_ => 0, Memory, (_, streams) =>
        {
            streams.Output.WriteLine("sound");
            return 0;
        }, () => FilesAreRead);
        using var full = new FullWriter();
        using var error = new StringWriter();
        Assert.Equal(1, Usage.Run(command, "tmemd", arguments, new InvocationConfiguration { Output = full, Error = error }));
        Assert.StartsWith("tmemd: the command was carried out, but standard output takes no result: No space left on device",
            Assert.Single(error.ToString().TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void A_flag_takes_no_value() => Assert.Equal(
        (2, "tmemd: --huge-pages takes no value, and 'yes' was given; see tmemd --help\n"),
        (Run("--mount", "m", "--capacity", "1M", "--huge-pages=yes") is var run ? (run.Code, run.Output) : default));

    [Fact]
    public void Defaults_are_shown_as_they_are_typed()
    {
        var help = Run("--help").Output;
        Assert.Contains("[default: info]", help, StringComparison.Ordinal);
        Assert.DoesNotContain("[default: Info]", help, StringComparison.Ordinal);
        Assert.Equal(LogLevel.Info, Run("--mount", "m", "--capacity", "1M").Options!.LogLevel);
    }

    [Fact]
    public void A_file_is_looked_at_and_nothing_else()
    {
        // The exit code is the check's.
        Assert.Equal(3, Run("--check-region", "abc").Code);
        Assert.True(Run("--mount", "m", "--capacity", "1M", "--huge-pages").Options!.HugePages);
    }

    [Theory]
    [InlineData("--mount is missing; give a directory", "--settings-from", "none")]
    [InlineData("--mount is missing; give a directory", "--config", "none", "--capacity", "1M")]
    [InlineData("--capacity is missing; write it as 512M", "--mount", "m", "--settings-from", "none")]
    [InlineData("leave --config out", "--check-region", "f", "--config", "x")]
    [InlineData("--mount needs a value", "--mount")]
    [InlineData("--capacity needs a value", "--mount", "m", "--capacity")]
    [InlineData("--mount needs a value, and '--capacity' is an option", "--mount", "--capacity", "1G")]
    [InlineData("--log needs a value", "--capacity", "1M", "--log")]
    [InlineData("unknown option '--capcity'; write it as --mount=--capcity", "--mount", "--capcity", "1G")]
    [InlineData("unknown option '--colour'", "--mount", "m", "--capacity", "1M", "--colour")]
    [InlineData("leave --mount out", "--check-region", "f", "--mount", "m")]
    [InlineData("--sync-interval is about", "--mount", "m", "--capacity", "1M", "--sync-interval", "5")]
    [InlineData("--drop-damaged is about", "--mount", "m", "--capacity", "1M", "--drop-damaged")]
    [InlineData("--huge-pages is for a store without a file", "--mount", "m", "--capacity", "1M", "--region", "r",
        "--huge-pages")]
    public void Options_that_contradict_one_another(string says, params string[] arguments)
    {
        var (options, output, code) = Run(arguments);
        Assert.Null(options);
        Assert.NotEqual(0, code);
        Assert.Contains(says, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", "too small")]
    [InlineData("4K", "too small")]
    [InlineData("9G", "8.0 GiB")]
    [InlineData("9E", "is more than the 8.0 GiB of memory that this machine has; give less")]
    [InlineData("9223372036854775808", "is more than the 8.0 GiB of memory that this machine has; give less")]
    [InlineData("", "'' is not a size")]
    [InlineData("much", "not a size")]
    [InlineData("-5M", "not a size")]
    public void Capacities_that_cannot_be(string capacity, string says)
    {
        var (options, output, code) = Run("--mount", "m", "--capacity", capacity);
        Assert.Null(options);
        Assert.NotEqual(0, code);
        Assert.Contains(says, output, StringComparison.Ordinal);
        Assert.Contains(capacity, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--socket-group", "no-such-group",
        "there is no group 'no-such-group' on this machine; make it first: groupadd --system no-such-group")]
    [InlineData("--socket-group", "4294967295", "there is no group '4294967295' on this machine; "
        + "make it first: groupadd --system 4294967295")]
    [InlineData("--sync-interval", "-1", "'-1' is not a whole number from 0 to 86400")]
    [InlineData("--threads", "0", "'0' is not a whole number from 1 to 64")]
    [InlineData("--threads", "65", "'65' is not a whole number from 1 to 64")]
    [InlineData("--threads", "x", "'x' is not a whole number from 1 to 64")]
    [InlineData("--threads", "", "'' is not a whole number from 1 to 64")]
    [InlineData("--spin", "-1", "'-1' is not a whole number from 0 to 10000")]
    [InlineData("--log", "loud", "'loud' is not known; give debug, info, warning or error")]
    [InlineData("--log", "2", "'2' is not known; give debug, info, warning or error")]
    public void Values_out_of_range(string option, string value, string says)
    {
        var (options, output, code) = Run("--mount", "m", "--capacity", "1G", "--region", "r", option, value);
        Assert.Null(options);
        Assert.NotEqual(0, code);
        Assert.Equal($"tmemd: {option}: {says}; see tmemd --help\n", output);
    }

    [Fact]
    public void Help_shows_an_example_for_every_option()
    {
        var help = string.Join(' ', Run("--help").Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        foreach (var option in (string[])["--mount", "--capacity", "--region", "--socket", "--threads", "--spin", "--huge-pages",
            "--log"])
            Assert.Contains($"Example: {option} ", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tmemd: --socket is empty; give a path; see tmemd --help", "--socket", "")]
    [InlineData("tmemd: --threads is given more than once; see tmemd --help", "--threads", "1", "--threads", "2")]
    [InlineData("tmemd: it takes options alone, and 'm2' was given; see tmemd --help", "m2")]
    [InlineData("tmemd: --region is empty; give a path; see tmemd --help", "--region", "")]
    public void Wrong_usage_is_one_line(string says, params string[] more)
    {
        var (options, output, code) = Run(["--mount", "m", "--capacity", "1G", .. more]);
        Assert.Null(options);
        Assert.Equal((Usage.Wrong, says + "\n"), (code, output));
    }

    [Fact]
    public void An_option_behind_the_dashes_is_none()
    {
        var (_, output, code) = Run("--mount", "m", "--capacity", "1M", "--", "--huge-pages");
        Assert.Equal((Usage.Wrong, "tmemd: '--huge-pages' stands behind '--', where no option is looked for; leave '--' out; see "
            + "tmemd --help\n"), (code, output));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_arguments_at_all_make_a_stack_trace(int seed)
    {
        string[] words =
        [
            "--mount", "--capacity", "--region", "--socket", "--threads", "--spin", "--sync-interval", "--huge-pages", "--log",
                "--help", "--version", "--", "=", "--mount=", "[diagram]", "@/etc/passwd",
            "", " ", "m", "1G", "1M", "-5M", "0", "99999999999999999999", "NaN", "debug", "\0", "a\nb", "\e[31m", "\ud800",
                new string('x', 5000),
        ];
        var random = new Random(seed);
        for (var round = 0; round < 1000; round++)
        {
            string[] arguments = [.. Enumerable.Range(0, random.Next(7)).Select(_ => words[random.Next(words.Length)])];
            var (options, output, code) = Run(random.Next(2) == 0 ? arguments
                : ["--mount", "m", "--capacity", "1G", .. arguments]);
            Assert.True(code is 0 or Usage.Wrong, $"{string.Join(' ', arguments)}: exit code {code}, {output}");
            Assert.False(output.Contains("   at ", StringComparison.Ordinal)
                || output.Contains("Exception", StringComparison.Ordinal), $"{string.Join(' ', arguments)}: {output}");
            if (code == Usage.Wrong)
                Assert.True(options is null && (output.EndsWith("; see tmemd --help\n", StringComparison.Ordinal)
                        || output.EndsWith("? see tmemd --help\n", StringComparison.Ordinal))
                    && output.Count(letter => letter == '\n') == 1, output);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(true, "--mount", "m")]
    [InlineData(true, "--capacity", "1M", "--threads", "5")]
    [InlineData(true, "--config", "x", "--mount", "m", "--capacity", "1M")]
    [InlineData(true, "--drop-damaged", "--sync-interval", "5")]
    [InlineData(false, "--mount", "m", "--capacity", "1M")]
    [InlineData(false, "--config", "none", "--mount", "m", "--capacity", "1M")]
    [InlineData(false, "--config", "x", "--settings-from", "x", "--mount", "m", "--capacity", "1M")]
    public void Files_are_read_unless_the_options_describe_a_store(bool read, params string[] arguments)
    {
        var (options, output, code) = Run(arguments);
        Assert.Equal(read, options is null);
        Assert.Equal(read ? Usage.Wrong : 0, code);
        Assert.Equal(read, output.Contains(FilesAreRead, StringComparison.Ordinal));
    }

    [Fact]
    public void What_files_say_stands_behind_what_was_typed()
    {
        var options = Run("--threads", "5", "--drop-damaged", "--settings-from", "/etc/a.toml, /etc/b.toml", "--mount", "/m",
            "--capacity", "1M", "--region", "/r", "--sync-interval", "9", "--codec", "zstd").Options;
        Assert.Equal(new DaemonOptions
        {
            MountPoint = "/m", CapacityBytes = 1 << 20, RegionPath = "/r", SyncInterval = TimeSpan.FromSeconds(9), Threads = 5,
            DropDamaged = true, Codec = CodecWish.Zstd, SettingsFiles = "/etc/a.toml, /etc/b.toml",
        }, options);
    }

    [Fact]
    public void The_least_capacity_of_the_settings_is_that_of_the_engine() =>
        Assert.Equal(Tmem.Engine.EngineOptions.MinimumCapacity, ControlProtocol.SmallestCapacity);
}
