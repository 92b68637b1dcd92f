using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// Whatever stands on the command line: an exit code of the list, no stack trace, and of wrong usage one line that names the
/// thing and says where help is.
/// </summary>
public sealed class UsageTests : IDisposable
{
    private static readonly string[] s_words =
    [
        "status", "pool", "list", "show", "create", "destroy", "swap", "on", "off", "check", "upgrade", "adopt", "recover",
            "stop", "--json", "--force", "--ephemeral",
        "--limit", "--size", "--priority", "--pool", "--threads", "--spin", "--log", "--codec", "--binary", "--timeout",
            "--mount", "--socket", "--help", "-h", "-?", "--version",
        "--refuse-incompressible", "--", "-", "=", "--limit=", "--json=maybe", "--socket=", "[diagram]", "[suggest]",
            "@/etc/passwd", "@", "", " ", "x", "..", "a/b", "-5M", "5M",
        "1", "0", "99999999999999999999", "-1", "NaN", "1e400", "1.5", "lz4", "debug", "17", "/nowhere", "\0", "a\nb", "\e[31m",
            "\u202e", "\ud800", "--\n",
    ];

    private readonly FakeServer _server = new();

    [Theory]
    [InlineData("tmemctl: --socket is empty; give a path; see tmemctl status --help", "status", "--socket", "")]
    [InlineData("tmemctl status: nobody knows '--colour' here; see tmemctl status --help", "status", "--colour")]
    [InlineData("tmemctl pool create: nobody knows 'y' here; see tmemctl pool create --help", "pool", "create", "x", "y")]
    [InlineData("tmemctl pool create: --limit is given more than once; see tmemctl pool create --help", "pool", "create", "x",
        "--limit", "1M", "--limit", "2M")]
    [InlineData("tmemctl pool create: --limit: '0' is not a size above 0; write it as 512M, 2GiB, 1.5G or 4096; see tmemctl "
        + "pool create --help", "pool", "create", "x", "--limit", "0")]
    [InlineData("tmemctl upgrade: --threads: 'a\\nb' is not a whole number in range; see tmemctl upgrade --help", "upgrade",
        "--threads", "a\nb")]
    [InlineData("tmemctl upgrade: --binary is empty; give a path; see tmemctl upgrade --help", "upgrade", "--binary", "")]
    [InlineData("tmemctl recover: --mount is empty; give a path; see tmemctl recover --help", "recover", "--mount", "")]
    public void Wrong_usage_is_one_line(string says, params string[] arguments)
    {
        var outcome = arguments.Contains("--socket") ? Run(arguments) : Ctl.Run(_server, arguments);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Output));
        Assert.Equal(says.Replace("tmemctl: --socket", "tmemctl status: --socket"), outcome.Error.TrimEnd('\n'));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_arguments_at_all_make_a_stack_trace(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 1000; round++)
        {
            string[] arguments = [.. Enumerable.Range(0, random.Next(6)).Select(_ => s_words[random.Next(s_words.Length)])];
            // Where they name no socket, the daemon of the test is asked: never one of the machine.
            var outcome = arguments.Contains("--") || arguments.Contains("--socket")
                ? Run([.. arguments, "--socket", "/nonexistent/socket"]) : Ctl.Run(_server, arguments);
            var line = string.Join(' ', arguments);
            Assert.True(outcome.Code is >= ExitCode.Done and <= ExitCode.Unknown, $"{line}: exit code {outcome.Code}");
            Assert.False(outcome.Error.Contains("   at ", StringComparison.Ordinal)
                || outcome.Error.Contains("Exception", StringComparison.Ordinal), $"{line}: {outcome.Error}");
            Assert.DoesNotContain('\e', outcome.Error + outcome.Output);
            if (outcome.Code != ExitCode.Usage) continue;
            Assert.True(outcome.Error.TrimEnd('\n').Split('\n').Length == 1
                && outcome.Error.Contains("--", StringComparison.Ordinal), $"{line}: {outcome.Error}");
        }
    }

    public void Dispose() => _server.Dispose();

    private static Outcome Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return new Outcome(CommandTree.Run(arguments, output, error, new FakeSwapSystem(), new NoMounts()), output.ToString(),
            error.ToString());
    }
}
