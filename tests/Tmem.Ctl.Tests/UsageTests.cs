using Tmem.Control.CommandLine;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// Whatever the command line says: an exit code of the list, no stack trace, and for wrong usage one line that names the fault
/// and points to help.
/// </summary>
public sealed class UsageTests : IDisposable
{
    private static readonly string[] s_words =
    [
        "status", "resize", "shrink", "compact", "sync", "client", "set", "empty", "pool", "list", "show", "create", "destroy",
            "swap", "on", "off", "check", "upgrade", "adopt", "recover",
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
    [InlineData("tmemctl status: unknown option '--colour'; see tmemctl status --help", "status", "--colour")]
    [InlineData("tmemctl pool create: it takes no argument after NAME, and 'y' was given; see tmemctl pool create --help", "pool",
        "create", "x", "y")]
    [InlineData("tmemctl status: it takes options alone, and 'pool' was given; see tmemctl status --help", "status", "pool")]
    [InlineData("tmemctl pool: there is no command 'make'; give list, show, create, set, reserve, recompress, empty or "
        + "destroy; see tmemctl pool --help",
        "pool", "make")]
    [InlineData("tmemctl: there is no command 'pol'; did you mean pool? see tmemctl --help", "pol")]
    [InlineData("tmemctl: there is no command 'statsu'; did you mean status? see tmemctl --help", "help", "statsu")]
    [InlineData("tmemctl pool: there is no command 'destory'; did you mean destroy? see tmemctl pool --help", "help", "pool",
        "destory")]
    [InlineData("tmemctl status: unknown option '--jsno'; did you mean --json? see tmemctl status --help", "status", "--jsno")]
    [InlineData("tmemctl pool: there is no command 'help'; give list, show, create, set, reserve, recompress, empty or "
        + "destroy; see tmemctl pool --help",
        "pool", "help")]
    [InlineData("tmemctl pool create: --limit is given more than once; see tmemctl pool create --help", "pool", "create", "x",
        "--limit", "1M", "--limit", "2M")]
    [InlineData("tmemctl pool create: --limit: '0' is too small; the least is 64.0 KiB, or give none; see tmemctl pool create "
        + "--help", "pool", "create", "x", "--limit", "0")]
    [InlineData("tmemctl pool create: --limit: '1K' is too small; the least is 64.0 KiB; see tmemctl pool create --help", "pool",
        "create", "x", "--limit", "1K")]
    [InlineData("tmemctl pool create: --limit: '9E' is more than can be; the most is 8.0 EiB; see tmemctl pool create --help",
        "pool", "create", "x", "--limit", "9E")]
    [InlineData("tmemctl pool create: --limit: '' is not a size; write it as 512M, 2GiB, 1.5G or 4096; see tmemctl pool create "
        + "--help", "pool", "create", "x", "--limit", "")]
    [InlineData("tmemctl pool create: --limit needs a value, and '--ephemeral' is an option; see tmemctl pool create --help",
        "pool", "create", "x", "--limit", "--ephemeral")]
    [InlineData("tmemctl pool create: NAME is missing; see tmemctl pool create --help", "pool", "create")]
    [InlineData("tmemctl pool reserve: SIZE is missing; see tmemctl pool reserve --help", "pool", "reserve", "x")]
    [InlineData("tmemctl pool: a command is missing; give list, show, create, set, reserve, recompress, empty or "
        + "destroy; see tmemctl pool --help",
        "pool")]
    [InlineData("tmemctl upgrade: --threads: 'a\\nb' is not a whole number from 1 to 64; see tmemctl upgrade --help", "upgrade",
        "--threads", "a\nb")]
    [InlineData("tmemctl upgrade: --threads: '0' is not a whole number from 1 to 64; see tmemctl upgrade --help", "upgrade",
        "--threads", "0")]
    [InlineData("tmemctl upgrade: --threads: '65' is not a whole number from 1 to 64; see tmemctl upgrade --help", "upgrade",
        "--threads", "65")]
    [InlineData("tmemctl upgrade: --spin: '-1' is not a whole number from 0 to 10000; see tmemctl upgrade --help", "upgrade",
        "--spin", "-1")]
    [InlineData("tmemctl upgrade: --log: '7' is not known; give debug, info, warning or error; see tmemctl upgrade --help",
        "upgrade", "--log", "7")]
    [InlineData("tmemctl upgrade: --log: 'loud' is not known; give debug, info, warning or error; see tmemctl upgrade --help",
        "upgrade", "--log", "loud")]
    [InlineData("tmemctl upgrade: --log: 'Debug' is not known; give debug, info, warning or error; see tmemctl upgrade --help",
        "upgrade", "--log", "Debug")]
    [InlineData("tmemctl upgrade: --codec: 'gzip' is not known; give lz4, lz4-reference, zstd or pool; see tmemctl upgrade "
        + "--help", "upgrade", "--codec", "gzip")]
    [InlineData("tmemctl swap on: --priority: '-1' is not a whole number from 0 to 32767; see tmemctl swap on --help", "swap",
        "on", "--priority", "-1")]
    [InlineData("tmemctl pool create: unknown option '-x'; write it behind '--' if it is meant; see tmemctl pool create --help",
        "pool", "create", "-x")]
    [InlineData("tmemctl pool destroy: unknown option '--forse'; write it behind '--' if it is meant; see tmemctl pool destroy "
        + "--help", "pool", "destroy", "--forse")]
    [InlineData("tmemctl swap on: unknown option '--sise'; write it as --pool=--sise if it is meant; see tmemctl swap on --help",
        "swap", "on", "--pool", "--sise")]
    [InlineData("tmemctl pool create: the pool's name is missing or empty; name the pool; see tmemctl pool create --help", "pool",
        "create", "")]
    [InlineData("tmemctl pool show: the pool's name is missing or empty; name the pool; see tmemctl pool show --help", "pool",
        "show", "")]
    [InlineData("tmemctl swap on: --pool: the pool's name is missing or empty; name the pool; see tmemctl swap on --help", "swap",
        "on", "--pool", "")]
    [InlineData("tmemctl pool create: pool name '\\u202etxt' has a character in it that turns the direction of text (U+202E); "
        + "use a name without; see tmemctl pool create --help", "pool", "create", "\u202etxt")]
    [InlineData("tmemctl pool create: pool name '  ' consists of blanks only; use a name that can be seen; see tmemctl pool "
        + "create --help", "pool", "create", "  ")]
    [InlineData("tmemctl swap on: --pool: pool name '..' is no file name; use a name other than . and .., without '/' and NUL; "
        + "see tmemctl swap on --help", "swap", "on", "--pool", "..")]
    [InlineData("tmemctl swap on: --pool: pool name 'a\\x07b' has a control character in it (U+0007); use a name without "
        + "control characters; see tmemctl swap on --help", "swap", "on", "--pool", "a\ab")]
    [InlineData("tmemctl: 'status' stands behind '--', where no command is looked for; leave '--' out; see tmemctl --help", "--",
        "status")]
    [InlineData("tmemctl swap off: --force takes no value, and 'yes' was given; see tmemctl swap off --help", "swap", "off",
        "--force=yes")]
    [InlineData("tmemctl upgrade: --binary is empty; give a path; see tmemctl upgrade --help", "upgrade", "--binary", "")]
    [InlineData("tmemctl recover: --mount is empty; give a path; see tmemctl recover --help", "recover", "--mount", "")]
    [InlineData("tmemctl pool list: --socket and --mount: give one of them; see tmemctl pool list --help", "pool", "list",
        "--mount", "/x", "--socket", "/y")]
    public void Wrong_usage_is_one_line(string says, params string[] arguments)
    {
        var outcome = arguments.Contains("--socket") || arguments.Contains("--") ? Run(arguments) : Ctl.Run(_server, arguments);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Output));
        Assert.Equal(says.Replace("tmemctl: --socket", "tmemctl status: --socket"), outcome.Error.TrimEnd('\n'));
    }

    [Theory]
    [InlineData("NAME is missing", "see tmemctl pool create --help", "pool", "create", "--json")]
    [InlineData("there is no command 'a; b'",
        "give list, show, create, set, reserve, recompress, empty or destroy; see tmemctl pool --help",
        "--json",
        "pool", "a; b")]
    [InlineData("--limit: '' is not a size", "write it as 512M, 2GiB, 1.5G or 4096; see tmemctl pool create --help", "pool",
        "create", "x", "--limit", "", "--json")]
    public void For_programs_wrong_usage_is_json_too(string message, string remedy, params string[] arguments)
    {
        var outcome = Run(arguments);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Output));
        var error = System.Text.Json.Nodes.JsonNode.Parse(outcome.Error)!;
        Assert.Equal((ExitCode.Usage, message, remedy),
            ((int)error["exitCode"]!, (string)error["message"]!, (string)error["remedy"]!));
    }

    [Theory]
    [InlineData("there is no /srv/caf...")]
    [InlineData("'caf...' is no file name")]
    [InlineData("nothing is called '...'")]
    public void The_full_stops_of_a_name_are_kept(string problem)
    {
        using var error = new StringWriter();
        Assert.Equal(ExitCode.Usage, Usage.Refuse(error, "tmemctl status", problem));
        Assert.Equal($"tmemctl status: {problem}; see tmemctl status --help\n", error.ToString());
    }

    [Theory]
    [InlineData]
    [InlineData("pool")]
    [InlineData("swap", "on")]
    public void Help_is_a_command_too(params string[] of)
    {
        var help = Run(["help", .. of]);
        Assert.Equal((ExitCode.Done, ""), (help.Code, help.Error));
        Assert.Equal(Run([.. of, "--help"]).Output, help.Output);
        Assert.Contains("Usage:", help.Output);
    }

    [Fact]
    public void Without_a_command_what_there_is_is_said()
    {
        var bare = Run();
        Assert.Equal((ExitCode.Usage, "tmemctl: a command is missing; give status, top, pool, swap, config, reload, resize, "
            + "shrink, compact, sync, save, restore, client, metrics, check, upgrade, adopt, recover, stop or help; "
            + "see tmemctl --help\n"),
            (bare.Code, bare.Error));
        Assert.Equal(ExitCode.Usage, Run("help", "nothing").Code);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("show")]
    [InlineData("destroy")]
    public void A_name_that_no_pool_can_have_is_not_even_sent(string command)
    {
        var outcome = Ctl.Run(_server, "pool", command, new string('n', 100_000));
        Assert.Equal((ExitCode.Usage, $"tmemctl pool {command}: the pool's name has 100000 bytes; use at most 255; see tmemctl "
            + $"pool {command} --help\n"), (outcome.Code, outcome.Error));
        Assert.Empty(_server.Calls);
    }

    [Fact]
    public void Behind_two_dashes_and_behind_an_equals_sign_a_word_is_what_was_meant()
    {
        Assert.Equal(ExitCode.Done, Run("pool", "create", "--socket", _server.SocketPath, "--", "-x").Code);
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, "swap", "on", "--pool=-y").Code);
        Assert.Equal(["-x", "-y"], _server.Pools.Keys);
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
            // Command lines that name no socket reach the test's daemon, never one of the machine.
            var outcome = arguments.Contains("--") || arguments.Contains("--socket")
                ? Run([.. arguments, "--socket", "/nonexistent/socket"]) : Ctl.Run(_server, arguments);
            var line = string.Join(' ', arguments);
            Assert.True(outcome.Code is >= ExitCode.Done and <= ExitCode.Unknown, $"{line}: exit code {outcome.Code}");
            Assert.False(outcome.Error.Contains("   at ", StringComparison.Ordinal)
                || outcome.Error.Contains("Exception", StringComparison.Ordinal), $"{line}: {outcome.Error}");
            Assert.DoesNotContain('\e', outcome.Error + outcome.Output);
            if (outcome.Code != ExitCode.Usage) continue;
            Assert.True((outcome.Error.StartsWith('{') || outcome.Error.TrimEnd('\n').Split('\n').Length == 1)
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
