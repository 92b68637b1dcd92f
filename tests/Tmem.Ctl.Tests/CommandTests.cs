using Tmem.Control;
using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Exit codes, texts and JSON of the commands that only talk to the daemon.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly FakeServer _server = new();

    [Fact]
    public void Status_is_readable_and_has_no_colour_codes()
    {
        var outcome = Ctl.Run(_server, "status");
        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains("daemon          tmemd 9.8.7+abc123, process 4711, 4 threads, up 3m 20s", outcome.Lines);
        Assert.Contains("used            256.0 MiB (25.0 %), peak 300.0 MiB", outcome.Lines);
        Assert.Contains("stored          1000 pages in 1 object: 3.9 MiB as 1.6 MiB, ratio 2.50", outcome.Lines);
        Assert.DoesNotContain('\e', outcome.Output);
        Assert.All(outcome.Lines, line => Assert.Equal(line.TrimEnd(), line));
    }

    /// <summary>After an upgrade, which replaces the worker alone.</summary>
    [Fact]
    public void A_keeper_of_another_program_than_the_worker_is_told()
    {
        _server.Processes = _server.Processes with { KeeperVersion = "9.8.7+abc123" };
        Assert.DoesNotContain(Ctl.Run(_server, "status").Lines, IsOfKeeper);
        _server.Processes = _server.Processes with { KeeperVersion = "9.8.6+fff000" };
        Assert.StartsWith("  keeper        tmemd 9.8.6+fff000: ", Ctl.Run(_server, "status").Lines.Single(IsOfKeeper),
            StringComparison.Ordinal);
        var json = Ctl.Run(_server, "status", "--json").Json;
        Assert.Equal(("9.8.7", "abc123", "9.8.6+fff000"), (json["version"]!.GetValue<string>(),
            json["commit"]!.GetValue<string>(), json["processes"]!["keeperVersion"]!.GetValue<string>()));

        _server.Processes = _server.Processes with { KeeperVersion = null };
        Assert.StartsWith("  keeper        tmemd of an earlier version: ",
            Ctl.Run(_server, "status").Lines.Single(IsOfKeeper), StringComparison.Ordinal);

        static bool IsOfKeeper(string line) => line.StartsWith("  keeper", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("status", "--json")]
    [InlineData("pool", "list")]
    [InlineData("--help")]
    [InlineData("help", "swap", "on")]
    [InlineData("--version")]
    [InlineData("swap", "status")]
    [InlineData("recover")]
    public void A_result_that_cannot_be_written_is_a_failure_with_its_reason(params string[] arguments)
    {
        arguments = arguments[0] is "help" or "--version" ? arguments : [.. arguments, "--socket", _server.SocketPath];
        foreach (var (failure, why) in s_unwritable)
        {
            using var error = new StringWriter();
            using var output = new FailingWriter(failure);
            Assert.Equal(ExitCode.Failed, CommandTree.Run(arguments, output, error, new FakeSwapSystem(), new NoMounts()));
            var says = $"the command was carried out, but standard output takes no result: {why}";
            Assert.Contains(arguments.Contains("--json") ? $"\"message\": \"{says}\",\n  \"remedy\": \"send it elsewhere\"\n"
                : $"tmemctl: {says}; send it elsewhere\n", error.ToString());
            // It ends even if both streams fail.
            Assert.Equal(ExitCode.Failed, CommandTree.Run(arguments, output, output, new FakeSwapSystem(), new NoMounts()));
        }
    }

    [Fact]
    public void What_changes_something_is_carried_out_though_nobody_can_read_of_it()
    {
        foreach (var (failure, _) in s_unwritable)
        {
            using var output = new FailingWriter(failure);
            var system = new FakeSwapSystem();
            Assert.Equal(ExitCode.Failed, Run("swap", "on"));
            Assert.NotEmpty(system.Swaps());
            Assert.Equal(ExitCode.Failed, Run("swap", "off"));
            Assert.Empty(system.Swaps());
            Assert.Empty(_server.Pools);
            // A refusal keeps its own exit code.
            _server.Problems.Add("slot 5 is torn");
            Assert.Equal(ExitCode.Problems, Run("check"));
            _server.Problems.Clear();

            int Run(params string[] arguments) =>
                CommandTree.Run([.. arguments, "--socket", _server.SocketPath], output, output, system, new NoMounts());
        }
    }

    private static readonly (Exception, string)[] s_unwritable =
    [
        (new IOException("No space left on device"), "No space left on device"),
        (new UnauthorizedAccessException(), "it is closed, or not open for writing"),
    ];

    [Fact]
    public void Status_says_whether_the_daemon_is_protected()
    {
        Assert.Contains("protected       yes: keeper 4711 replaces worker 4712 if it dies", Ctl.Run(_server, "status").Lines);
        _server.Processes = _server.Processes with { KeeperPid = 0, LastDeath = "process 9 was killed by SIGKILL",
            LastDeathAt = DateTimeOffset.UnixEpoch };
        var lines = Ctl.Run(_server, "status").Lines;
        Assert.Contains(lines, line => line.StartsWith("protected       NO", StringComparison.Ordinal));
        Assert.Contains("last death      1970-01-01 00:00:00 UTC: process 9 was killed by SIGKILL", lines);
    }

    [Fact]
    public void An_upgrade_is_done_when_the_new_worker_serves()
    {
        var outcome = Ctl.Run(_server, "upgrade", "--threads", "8");
        Assert.Equal((ExitCode.Done, "worker 4712 serves in the place of 4710\n"), (outcome.Code, outcome.Output));
    }

    [Theory]
    [InlineData(true, 1, "the daemon was stopped meanwhile")]
    [InlineData(false, 5, "the daemon's keeper ended meanwhile")]
    public async Task An_upgrade_ends_with_the_daemon(bool inOrder, int code, string says)
    {
        using var family = new FakeFamily();
        _server.Processes = _server.Processes with { KeeperPid = family.Keeper, WorkerPid = family.Worker, Upgrades = 0 };
        var upgrade = Task.Run(() => Ctl.Run(_server, "upgrade", "--threads", "3"), TestContext.Current.CancellationToken);
        // It waits for the new worker, and the daemon ends instead: its socket goes first, its keeper last.
        while (!_server.HasBeenAsked(ControlMethod.Status, after: ControlMethod.Upgrade))
            await Task.Delay(1, TestContext.Current.CancellationToken);
        if (inOrder) File.Delete(_server.SocketPath);
        family.End();
        var outcome = await upgrade;
        Assert.Equal((code, ""), (outcome.Code, outcome.Output));
        Assert.StartsWith("tmemctl: " + says, outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_upgrade_that_is_refused_or_fails_late_says_why()
    {
        _server.Processes = _server.Processes with { Upgrades = 0, UpgradeProblem = "the new worker died" };
        var late = Ctl.Run(_server, "upgrade");
        Assert.Equal(ExitCode.Failed, late.Code);
        Assert.Contains("the new worker died", late.Error);
        _server.UpgradeError = new RpcError(ControlErrorCode.UpgradeRefused, "tmemd serves on as it was: no such program",
            new RpcErrorData("upgrade", "name another"));
        var refused = Ctl.Run(_server, "upgrade", "--binary", "/nowhere");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("no such program", refused.Error);
        Assert.Equal(ExitCode.Usage, Ctl.Run(_server, "upgrade", "--log", "loud").Code);
    }

    [Fact]
    public void Adoption_names_the_keeper() => Assert.Equal("keeper 4711 watches\n", Ctl.Run(_server, "adopt").Output);

    [Fact]
    public void Status_as_json_is_the_daemons_own_reply()
    {
        var json = Ctl.Run(_server, "status", "--json").Json;
        Assert.Equal(4711, json["pid"]!.GetValue<int>());
        Assert.Equal(256 << 20, json["store"]!["usedBytes"]!.GetValue<long>());
        Assert.Equal(6, json["total"]!["putsNoRoom"]!.GetValue<long>());
    }

    [Fact]
    public void Pools_are_listed_in_stable_columns()
    {
        _server.Pools.Add("data", "persistent");
        _server.Pools.Add("a\e[31mb\nc", "ephemeral");
        _server.Pools.Add(new string('n', 255), "ephemeral");
        var lines = Ctl.Run(_server, "pool", "list").Lines;
        Assert.Equal(4, lines.Length);
        Assert.Equal(["NAME", "KIND", "PAGES", "ORIGINAL", "COMPRESSED", "RATIO", "MEMORY", "LIMIT", "RESERVE"],
            lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("a\\x1b[31mb\\nc ", lines[1]);
        Assert.Equal(["data", "persistent", "1000", "3.9", "MiB", "1.6", "MiB", "2.50", "1.6", "MiB", "none", "none"],
            lines[2].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(lines[0].IndexOf("KIND", StringComparison.Ordinal),
            lines[2].IndexOf("persistent", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("0")]
    public void What_there_is_none_of_is_written_as_it_is_shown(string none)
    {
        Assert.Equal("created persistent pool a, limit none\n",
            Ctl.Run(_server, "pool", "create", "a", "--limit", "none", "--reserve", none).Output);
        Assert.Equal("pool a has no reserve\n", Ctl.Run(_server, "pool", "reserve", "a", none).Output);
    }

    [Fact]
    public void A_pool_is_made_with_its_options_shown_and_destroyed()
    {
        var made = Ctl.Run(_server, "pool", "create", "scratch", "--ephemeral", "--limit", "512M");
        Assert.Equal((ExitCode.Done, "created ephemeral pool scratch, limit 512.0 MiB\n"), (made.Code, made.Output));
        Assert.Contains("kind            ephemeral", Ctl.Run(_server, "pool", "show", "scratch").Lines);
        Assert.Equal("scratch", Ctl.Run(_server, "pool", "show", "scratch", "--json").Json["name"]!.GetValue<string>());
        Assert.Equal("destroyed pool scratch, 1000 pages\n", Ctl.Run(_server, "pool", "destroy", "scratch").Output);
        Assert.Empty(_server.Pools);
    }

    [Fact]
    public void A_pool_is_guaranteed_memory()
    {
        Assert.Equal("created persistent pool swap, limit none, 64.0 MiB reserved\n",
            Ctl.Run(_server, "pool", "create", "swap", "--reserve", "64M").Output);
        Assert.Equal("pool swap is guaranteed 8.0 MiB\n", Ctl.Run(_server, "pool", "reserve", "swap", "8M").Output);
        Assert.Equal("pool swap has no reserve\n", Ctl.Run(_server, "pool", "reserve", "swap", "0").Output);
        Assert.Equal(ExitCode.Failed, Ctl.Run(_server, "pool", "reserve", "nowhere", "8M").Code);
        Assert.Equal(ExitCode.Usage, Ctl.Run(_server, "pool", "reserve", "swap", "much").Code);
    }

    [Fact]
    public void A_refusal_is_exit_code_1_with_sentence_and_remedy()
    {
        var outcome = Ctl.Run(_server, "pool", "show", "nowhere");
        Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Output));
        Assert.Equal("tmemctl: no pool 'nowhere'; see the list\n", outcome.Error);
        var json = System.Text.Json.Nodes.JsonNode.Parse(Ctl.Run(_server, "pool", "show", "nowhere", "--json").Error)!;
        Assert.Equal(ControlErrorCode.NotFound, json["code"]!.GetValue<int>());
        Assert.Equal(1, json["exitCode"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("pool")]
    [InlineData("pool", "create")]
    [InlineData("pool", "create", "x", "--limit", "many")]
    [InlineData("pool", "create", "x", "--limit", "-5M")]
    [InlineData("pool", "create", "x", "y")]
    [InlineData("status", "--colour")]
    [InlineData("swap", "on", "--size", "12X")]
    [InlineData("swap", "on", "--size", "1")]
    [InlineData("swap", "on", "--priority", "32768")]
    [InlineData("swap", "on", "--priority", "-1")]
    [InlineData("swap", "on", "--priority", "high")]
    public void Wrong_usage_is_exit_code_2_and_says_something(params string[] arguments)
    {
        var outcome = Ctl.Run(_server, arguments);
        Assert.Equal(ExitCode.Usage, outcome.Code);
        Assert.NotEmpty(outcome.Error);
        Assert.Empty(_server.Pools);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("swap", "on", "--help")]
    public void Asking_for_help_is_no_error(params string[] arguments) =>
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, arguments).Code);

    /// <summary>A package is installed before the daemon is upgraded.</summary>
    [Theory]
    [InlineData("metrics")]
    [InlineData("top", "--once")]
    public void A_daemon_of_a_version_before_recompression_is_shown(params string[] verb)
    {
        var reply = Ctl.Run(_server, "metrics", "--json").Json;
        Assert.True(reply["status"]!["store"]!.AsObject().Remove("recompression"));
        _server.Raw = $$"""{"jsonrpc":"2.0","id":1,"result":{{reply.ToJsonString()}}}""";
        Assert.Equal((ExitCode.Done, ""), Ctl.Run(_server, verb) is var run ? (run.Code, run.Error) : default);
    }

    [Fact]
    public void The_version_is_printed()
    {
        using var output = new StringWriter();
        Assert.Equal(ExitCode.Done, CommandTree.Run(["--version"], output, output, new FakeSwapSystem(), new NoMounts()));
        Assert.StartsWith("0.", output.ToString());
        Assert.Equal((ExitCode.Done, output.ToString(), ""), Ctl.Run(_server, "--version") is var one
            ? (one.Code, one.Output, one.Error) : default);
    }

    [Fact]
    public void Help_names_the_exit_codes() => Assert.Contains("3 daemon not reachable", Ctl.Run(_server, "--help").Output);

    [Theory]
    [InlineData("/nonexistent/socket")]
    [InlineData("/dev/null")]
    [InlineData("/proc/version")]
    public void Nobody_there_is_exit_code_3(string socket)
    {
        foreach (var command in new[] { "status", "check", "stop" })
        {
            var outcome = Ctl.Run(new FakeSwapSystem(), socket, command);
            Assert.Equal(ExitCode.Unreachable, outcome.Code);
            Assert.Contains(socket, outcome.Error);
        }
        Assert.Equal(ExitCode.Unreachable, Ctl.Run(new FakeSwapSystem(), socket, "swap", "on").Code);
    }

    [Theory]
    [InlineData("/nonexistent/socket", "there is no such socket", "start tmemd")]
    [InlineData("/dev/null", "that is no socket", "name the one")]
    public void For_programs_the_remedy_stands_apart(string path, string says, string remedy)
    {
        var error = System.Text.Json.Nodes.JsonNode.Parse(Ctl.Run(new FakeSwapSystem(), path, "status", "--json").Error)!;
        Assert.Equal($"no daemon reached on {path}: {says}", (string)error["message"]!);
        Assert.StartsWith(remedy, (string)error["remedy"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ControlProtocol.DefaultSocket, false, "start tmemd (scripts/up)")]
    [InlineData(ControlProtocol.DefaultSocket, true, "start tmemd with 'systemctl start tmemd'")]
    [InlineData("/run/tmem/second.sock", true, "start tmemd")]
    public void Where_the_package_is_its_unit_starts_the_daemon(string socket, bool isPackaged, string says) =>
        Assert.Equal(says, ControlClient.Start(socket, isPackaged));

    [Fact]
    public void What_is_optional_is_absent_as_on_the_socket()
    {
        var status = Ctl.Run(_server, "status", "--json").Json["processes"]!.AsObject();
        Assert.True(status.ContainsKey("workerPid"));
        Assert.False(status.ContainsKey("upgradeProblem"));
    }

    [Theory]
    [InlineData("/etc/passwd", "that is no socket")]
    [InlineData("/tmp", "that is no socket")]
    [InlineData("/dev/null", "that is no socket")]
    [InlineData("/nonexistent/socket", "there is no such socket")]
    public void What_is_no_socket_is_called_none(string path, string says)
    {
        var outcome = Ctl.Run(new FakeSwapSystem(), path, "status");
        Assert.Equal(ExitCode.Unreachable, outcome.Code);
        Assert.StartsWith($"tmemctl: no daemon reached on {path}: {says}", outcome.Error);
        Assert.DoesNotContain("left over", outcome.Error);
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("{}")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{"version":"1"}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":17}""")]
    public void Something_else_on_the_socket_is_exit_code_3(string raw)
    {
        _server.Raw = raw;
        Assert.Equal(ExitCode.Unreachable, Ctl.Run(_server, "status").Code);
    }

    [Fact]
    public void Check_is_exit_code_4_when_something_is_wrong()
    {
        Assert.Equal((ExitCode.Done, "checked 7 pages, 2 objects, 1 span in 0.3 s: all is well\n"),
            (Ctl.Run(_server, "check").Code, Ctl.Run(_server, "check").Output));
        _server.Problems.Add("slot 5 is torn");
        var outcome = Ctl.Run(_server, "check");
        Assert.Equal(ExitCode.Problems, outcome.Code);
        Assert.Equal("problem: slot 5 is torn", outcome.Lines[0]);
        Assert.Equal(ExitCode.Problems, Ctl.Run(_server, "check", "--json").Code);
    }

    [Fact]
    public void Stop_tells_what_stands_in_the_way()
    {
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, "stop").Code);
        _server.StopError = new RpcError(ControlErrorCode.StopRefused, "tmemd goes on: swap is on",
            new RpcErrorData("x", "turn it off"));
        var outcome = Ctl.Run(_server, "stop");
        Assert.Equal((ExitCode.Failed, "tmemctl: tmemd goes on: swap is on; turn it off\n"), (outcome.Code, outcome.Error));
    }

    [Fact]
    public void Stop_says_what_was_lost_where_it_was_told_to_lose_it()
    {
        _server.Lost = 3 << 20;
        Assert.DoesNotContain("lost", Ctl.Run(_server, "stop").Output);
        Assert.EndsWith("; 3.0 MiB of the store are lost\n", Ctl.Run(_server, "stop", "--discard").Output);
        Assert.Contains("\"lostBytes\": 3145728", Ctl.Run(_server, "stop", "--discard", "--json").Output);
    }

    [Fact]
    public void Status_begins_with_what_is_wrong_with_the_regions_file()
    {
        _server.Durability = new DurabilityFigures { Tracking = "hashes", Checkpoints = 7, FileMovedTo = "/new place" };
        Assert.Matches("MOVED +the region's file is now at /new place: start with that", Ctl.Run(_server, "status").Output);
        _server.Durability = new DurabilityFigures { Tracking = "hashes", LastFailed = true, BytesBehind = 5 << 20 };
        Assert.Matches("made durable +THE LAST TIME FAILED, 5.0 MiB are in memory alone", Ctl.Run(_server, "status").Output);
        _server.Durability = _server.Durability with { FileRemoved = true };
        var status = Ctl.Run(_server, "status").Output;
        Assert.Matches("made durable +THE FILE HAS BEEN REMOVED OR REPLACED", status);
        Assert.Contains($"copy what is needed out of {_server.Mount}, then stop with "
            + $"'tmemctl --socket {_server.SocketPath} stop --discard'", status);
    }

    [Theory]
    [InlineData("pool list", "pool", "destroy", "--force", "x")]
    [InlineData("pool list", "pool", "create", "x")]
    [InlineData("pool list", "pool", "reserve", "x", "1M")]
    [InlineData("status", "stop")]
    [InlineData("status", "upgrade")]
    [InlineData("status", "adopt")]
    public void What_was_sent_and_not_answered_may_have_been_done(string see, params string[] command)
    {
        _server.Mute = true;
        var late = Ctl.Run(_server, [.. command, "--timeout", "0.2"]);
        Assert.Equal((ExitCode.Unknown, ""), (late.Code, late.Output));
        Assert.Contains("no answer within 0.2 s: if it had begun by then, it carries that out, and if not, it never will;",
            late.Error);
        Assert.Contains($"'tmemctl --socket {_server.SocketPath} {see}'", late.Error);
        (_server.Mute, _server.Closes) = (false, true);
        Assert.Equal(ExitCode.Unknown, Ctl.Run(_server, command).Code);
        _server.Closes = false;
        Assert.Equal(ExitCode.Unreachable, Ctl.Run(new FakeSwapSystem(), _server.SocketPath + "x", command).Code);
    }

    [Fact]
    public void Of_what_changes_nothing_no_answer_says_no_more_than_that()
    {
        _server.Mute = true;
        var outcome = Ctl.Run(_server, "pool", "list", "--timeout", "0.2");
        Assert.Equal(ExitCode.Unreachable, outcome.Code);
        Assert.Contains("it does not answer", outcome.Error);
    }

    /// <summary>A refusal that proves that nothing was begun is no answer yet: one worker gives way to another.</summary>
    [Theory]
    [InlineData("pool", "list")]
    [InlineData("pool", "create", "x")]
    [InlineData("client", "list")]
    [InlineData("metrics")]
    public void What_was_not_begun_because_of_an_upgrade_is_asked_again_until_the_time_is_up(params string[] command)
    {
        _server.NotBegun = 3;
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, command).Code);
        Assert.Equal(4, _server.Calls.Count);
        _server.NotBegun = int.MaxValue;
        var refused = Ctl.Run(_server, [.. command, "--timeout", "2"]);
        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Output));
        Assert.Equal("tmemctl: an upgrade to tmemd is under way; ask again in a moment\n", refused.Error);
    }

    public void Dispose() => _server.Dispose();

    private sealed class FailingWriter(Exception failure) : StringWriter
    {
        public override void Write(char value) => throw failure;
        public override void Write(string? value) => throw failure;
        public override void Write(char[] buffer, int index, int count) => throw failure;
        public override void Write(ReadOnlySpan<char> buffer) => throw failure;
    }
}
