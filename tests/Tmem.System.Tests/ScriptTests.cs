using System.Text.RegularExpressions;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>The scripts' own messages: help, and a refusal of unknown arguments before anything is built or changed.</summary>
public sealed partial class ScriptTests
{
    [Theory]
    [InlineData("up", "now")]
    [InlineData("up", "--swap")]
    [InlineData("up", "--swap-size")]
    [InlineData("up", "--swap-size", "much")]
    [InlineData("up", "--swap-size=none")]
    [InlineData("up", "--swap-priority", "32768")]
    [InlineData("up", "--swap-priority", "-1")]
    [InlineData("up", "--no-swap", "--no-swap")]
    [InlineData("up", "--no-swap", "--swap-size", "1G")]
    [InlineData("down", "--now")]
    [InlineData("down", "--force", "--force")]
    [InlineData("build", "all")]
    [InlineData("test", "Tmem.Nothing.Tests")]
    [InlineData("corpus", "--byte", "1M")]
    [InlineData("bench", "speed")]
    [InlineData("bench", "swap", "--round", "1")]
    [InlineData("bench", "swap", "--rounds", "x")]
    [InlineData("bench", "codec", "--runs", "0")]
    [InlineData("bench", "codec", "--runs=0")]
    [InlineData("bench", "waits", "--only")]
    [InlineData("bench", "codec", "--runs", "1", "--runs", "2")]
    [InlineData("soak", "engine", "--hours", "1")]
    [InlineData("soak", "crash", "--kills", "many")]
    [InlineData("soak", "records", "--rounds=0")]
    [InlineData("package", "--arch", "sparc")]
    [InlineData("package", "--revision=a")]
    [InlineData("guest", "--kills", "0")]
    [InlineData("guest", "--cache")]
    public void Wrong_usage_is_one_line_and_nothing_is_built(string script, params string[] arguments)
    {
        // Without dotnet on the path, an attempt to build fails in another way.
        var outcome = Command.RunIn(null, 20, Script(script), arguments, ("PATH", "/usr/bin:/bin"));
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.EndsWith($"; see scripts/{script} --help", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--swap-size: '0' is out of range", "", "", "--swap-size", "0")]
    [InlineData("--swap-size: '1b' is out of range", "", "", "--swap-size=1b")]
    [InlineData("--swap-size: '99999999T' is out of range", "", "", "--swap-size", "99999999T")]
    [InlineData("TMEM_CAPACITY: '1b' is out of range", "TMEM_CAPACITY", "1b")]
    [InlineData("TMEM_CAPACITY: '0' is out of range", "TMEM_CAPACITY", "0")]
    [InlineData("TMEM_CAPACITY: '9E' is out of range", "TMEM_CAPACITY", "9E")]
    [InlineData("TMEM_CAPACITY: '10X' is not a size", "TMEM_CAPACITY", "10X")]
    [InlineData("TMEM_CAPACITY: '-1' is not a size", "TMEM_CAPACITY", "-1")]
    [InlineData("TMEM_SOCKET: the path has 108 bytes", "TMEM_SOCKET", "/run/LONG")]
    [InlineData("/etc/passwd is a file", "TMEM_MOUNT", "/etc/passwd")]
    [InlineData("/etc/passwd is a file", "TMEM_MOUNT", "/etc/passwd/below")]
    [InlineData("/etc/passwd is a file", "TMEM_SOCKET", "/etc/passwd/tmemd.sock")]
    [InlineData("--no-swap takes no value, and '1' was given", "", "", "--no-swap=1")]
    [InlineData("--swap-force takes no value, and '1' was given", "", "", "--swap-force=1")]
    [InlineData("with --no-swap there is no swap", "", "", "--swap-force", "--no-swap")]
    public void Up_refuses_what_cannot_be_before_it_builds(string says, string name, string value, params string[] arguments)
    {
        value = value.Replace("LONG", new string('n', 103), StringComparison.Ordinal);
        (string, string)[] settings = name.Length == 0 ? [] : [(name, value)];
        var outcome = Command.RunIn(null, 20, Script("up"), arguments, [.. settings, ("PATH", "/usr/bin:/bin")]);
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        var line = Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"scripts/up: {says}", line, StringComparison.Ordinal);
        Assert.EndsWith("; see scripts/up --help", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("build")]
    [InlineData("test")]
    [InlineData("corpus")]
    [InlineData("bench", "codec")]
    [InlineData("soak", "flips")]
    public void Without_a_place_for_temporary_files_what_builds_says_so(string script, params string[] arguments)
    {
        var outcome = Command.RunIn("/", 20, Script(script), arguments, ("TMPDIR", "/nowhere"));
        Assert.Equal((1, $"scripts/{script}: no temporary files can be made in /nowhere; set TMPDIR to a directory that can be "
            + "written\n"), (outcome.Code, outcome.Errors));
    }

    /// <summary>A missing home directory is no reason to fail while the user has another one.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("/nowhere")]
    public void Without_a_home_dotnet_is_given_the_users_own_or_it_is_said(string home)
    {
        const string what = ". scripts/usage; find_dotnet; dotnet nuget locals all --list >/dev/null && "
            + "echo $HOME";
        var outcome = Command.RunIn(Built.Repository, 60, "/bin/bash", ["-c", what], ("HOME", home));
        var own = Command.Run("sh", "-c", "getent passwd $(id -u) | cut -d: -f6").Output;
        Assert.Equal((0, own, ""), (outcome.Code, outcome.Output, outcome.Errors));
        // A user without a home directory.
        outcome = Command.RunIn(Built.Repository, 60, "/bin/bash", ["-c", "getent() { :; }; " + what], ("HOME", home));
        Assert.Equal((1, "", "scripts/bash: no home directory that can be written; set HOME to one, for what dotnet keeps "
            + "there\n"), (outcome.Code, outcome.Output, outcome.Errors));
    }

    [Theory]
    [InlineData("up")]
    [InlineData("down")]
    [InlineData("build")]
    [InlineData("test")]
    [InlineData("corpus")]
    [InlineData("bench")]
    [InlineData("soak")]
    public void Help_is_what_stands_at_the_head_of_each(string script)
    {
        var help = Command.Run(Script(script), "--help").Succeeds().Output;
        Assert.Contains($"scripts/{script}", help, StringComparison.Ordinal);
        Assert.DoesNotContain('#', help);
    }

    [Theory]
    [InlineData("swap")]
    [InlineData("waits")]
    [InlineData("codec")]
    [InlineData("engine")]
    public void The_benchmarks_options_are_known_to_the_script(string benchmark)
    {
        var list = File.ReadAllText(Script("bench")).Replace("\\\n", "", StringComparison.Ordinal).Split('\n')
            .Single(line => line.StartsWith($"{benchmark}) check_options", StringComparison.Ordinal));
        var help = Command.RunFor(60, "dotnet", Built.Benchmarks, benchmark, "--help").Succeeds().Output;
        Assert.Equal(HelpLine().Matches(help).Select(match => match.Groups[1].Value).Order(),
            Name().Matches(list).Select(match => match.Value).Order());
    }

    [Theory]
    [InlineData("--rounds", "x")]
    [InlineData("--rounds", "0")]
    [InlineData("--peers", "nobody")]
    [InlineData("--bytes", "")]
    public void A_benchmarks_wrong_usage_is_one_line(params string[] arguments)
    {
        var outcome = Command.RunFor(60, "dotnet", [Built.Benchmarks, "swap", .. arguments]);
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.EndsWith("; see scripts/bench swap --help", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')),
            StringComparison.Ordinal);
    }

    private static string Script(string name) => Path.Combine(Built.Repository, "scripts", name);

    [GeneratedRegex(@"^  (--[a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"--[a-z-]+")]
    private static partial Regex Name();
}
