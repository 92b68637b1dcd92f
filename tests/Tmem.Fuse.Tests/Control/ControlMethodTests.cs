using System.Text.Json;
using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>The methods about the daemon, over a real socket; those about pools have tests of their own.</summary>
public sealed class ControlMethodTests : IDisposable
{
    private readonly ControlServerFixture _fixture = new();
    private readonly Peer _peer;

    public ControlMethodTests() => _peer = _fixture.Connect();

    [Fact]
    public void Status_tells_the_daemon_and_every_figure()
    {
        var result = _peer.Call("status")["result"]!;
        Assert.Equal("9.8.7", result["version"]!.GetValue<string>());
        Assert.Equal(4711, result["pid"]!.GetValue<int>());
        Assert.Equal("/mnt/fake", result["mountPoint"]!.GetValue<string>());
        Assert.Equal(_fixture.SocketPath, result["socketPath"]!.GetValue<string>());
        Assert.InRange(result["uptimeSeconds"]!.GetValue<double>(), 89, 3600);
        Assert.Equal(300 << 20, result["store"]!["usedBytes"]!.GetValue<long>());
        Assert.Equal(10 << 20, result["store"]!["metadataBytes"]!.GetValue<long>());
        Assert.Equal(6, result["total"]!["putsNoRoom"]!.GetValue<long>());
    }

    [Fact]
    public void Status_names_the_processes()
    {
        var processes = _peer.Call("status")["result"]!["processes"]!;
        Assert.Equal((4712, 4711, 2, 1), (processes["workerPid"]!.GetValue<int>(), processes["keeperPid"]!.GetValue<int>(),
            processes["restarts"]!.GetValue<int>(), processes["upgrades"]!.GetValue<int>()));
        _fixture.Daemon.Processes = _fixture.Daemon.Processes with { KeeperPid = 0 };
        Assert.Equal(4712, _peer.Call("status")["result"]!["pid"]!.GetValue<int>());
    }

    [Fact]
    public void An_upgrade_passes_on_what_is_to_change()
    {
        var reply = _peer.Call("upgrade", """{"threads":8,"log":"debug"}""")["result"]!;
        Assert.Equal((4712, 1), (reply["workerPid"]!.GetValue<int>(), reply["upgrades"]!.GetValue<int>()));
        Assert.Equal(new UpgradeParameters { Threads = 8, Log = LogWish.Debug }, _fixture.Daemon.Upgraded);
        _fixture.Daemon.Obstacle = "the program crashed";
        var error = _peer.Call("upgrade", "{}")["error"]!;
        Assert.Equal(ControlErrorCode.UpgradeRefused, error["code"]!.GetValue<int>());
        Assert.Contains("the program crashed", error["message"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("""{"threads":0}""")]
    [InlineData("""{"threads":65}""")]
    [InlineData("""{"spin":-1}""")]
    [InlineData("""{"spin":10001}""")]
    [InlineData("""{"binary":"tmemd"}""")]
    [InlineData("""{"log":"loud"}""")]
    [InlineData("""{"log":7}""")]
    [InlineData("""{"log":1}""")]
    [InlineData("""{"log":"1"}""")]
    [InlineData("""{"codec":1}""")]
    [InlineData("""{"codec":"3"}""")]
    [InlineData("""{"capacity":1}""")]
    public void An_upgrade_to_what_cannot_be_is_refused(string parameters)
    {
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("upgrade", parameters)["error"]!["code"]!.GetValue<int>());
        Assert.Null(_fixture.Daemon.Upgraded);
    }

    [Fact]
    public void Adoption_tells_the_keeper_or_why_there_is_none()
    {
        Assert.Equal(4711, _peer.Call("adopt")["result"]!["keeperPid"]!.GetValue<int>());
        _fixture.Daemon.Obstacle = "it died";
        Assert.Equal(ControlErrorCode.NotAdopted, _peer.Call("adopt")["error"]!["code"]!.GetValue<int>());
    }

    [Fact]
    public void Every_figure_of_the_engine_reaches_the_message()
    {
        // Users could not see a figure that was added to the engine and forgotten here.
        static string[] Names(Type type, params string[] without) =>
            [.. type.GetProperties().Select(property => property.Name).Except(without).Order()];
        Assert.Equal(Names(typeof(Engine.PoolStatistics)), Names(typeof(PoolFigures), "EqualityContract"));
        Assert.Equal(Names(typeof(Engine.EngineStatistics), "EqualityContract", "Total", "Pools"),
            Names(typeof(StoreFigures), "EqualityContract"));
    }

    /// <summary>Every counter keeps its own value, from the engine to its name in the message.</summary>
    [Fact]
    public void Every_count_of_the_engine_stands_under_its_own_name_in_the_message()
    {
        var counts = Enum.GetValues<Engine.Count>();
        var statistics = new Engine.PoolStatistics([.. counts.Select(count => 100L + (int)count)]);
        var message = JsonSerializer.SerializeToNode(Figures.Of(statistics), ControlJson.Default.PoolFigures)!.AsObject();
        Assert.Equal(counts.Select(count => (JsonNamingPolicy.CamelCase.ConvertName($"{count}"), 100L + (int)count)),
            message.Select(figure => (figure.Key, figure.Value!.GetValue<long>())));
    }

    [Fact]
    public void A_store_opened_below_its_reserves_is_told_with_the_commands_that_end_it()
    {
        Assert.Null(_peer.Call("status")["result"]!["reserveExcess"]);
        foreach (var (name, reserve) in (Dictionary<string, long>)new() { ["a"] = 1 << 20, ["b b"] = 3 << 20, ["c"] = 2 << 20 })
            _peer.Call("pool.create", $$"""{"name":"{{name}}","reserve":{{reserve}}}""");
        _fixture.Store.ExcessReserve = 4 << 20;
        var excess = _peer.Call("status")["result"]!["reserveExcess"]!;
        Assert.Contains("4.0 MiB more than a capacity of 1.0 GiB can hold", excess["what"]!.GetValue<string>());
        var line = $"tmemctl --socket {_fixture.SocketPath} pool reserve";
        Assert.StartsWith($"end a guarantee with '{line} b\\ b 0' and '{line} c 0', or", excess["remedy"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("swap is still on /mnt/fake: /dev/loop7", "swap off", true)]
    [InlineData("/mnt/fake is busy, held by process 7 (bash)", "swap off", false)]
    [InlineData("the disk of /r is full; make room on it, and stop again", "swap off", false)]
    [InlineData("the disk of /r is full; make room on it, and stop again", "make room on it, and stop again", true)]
    public void The_remedy_of_a_refused_stop_is_about_its_reason(string reason, string remedy, bool named)
    {
        _fixture.Daemon.Obstacle = reason;
        Assert.Equal(named, _peer.Call("stop")["error"]!["data"]!["remedy"]!.GetValue<string>()
            .Contains(remedy, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("check")]
    [InlineData("stop")]
    [InlineData("pool.list")]
    public void Methods_without_parameters_refuse_some_and_take_empty_ones(string method)
    {
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call(method, """{"now":true}""").Code());
        Assert.Equal(0, _fixture.Daemon.Stops);
        Assert.NotNull(_peer.Call(method, "{}")["result"]);
    }

    [Fact]
    public void Check_lists_the_problems_of_engine_and_names()
    {
        Assert.Empty(_peer.Call("check")["result"]!["problems"]!.AsArray());
        _fixture.Store.EngineProblems.Add("slot 5 is torn");
        _fixture.Store.NameProblems.Add("entry without inode");
        var result = _peer.Call("check")["result"]!;
        Assert.Equal(100, result["pagesChecked"]!.GetValue<long>());
        Assert.Equal(["slot 5 is torn", "entry without inode"],
            result["problems"]!.AsArray().Select(problem => problem!.GetValue<string>()));
    }

    [Fact]
    public void Only_one_check_runs_at_a_time_and_others_are_served_meanwhile()
    {
        using var hold = new ManualResetEventSlim();
        _fixture.Store.HoldVerify = hold;
        _peer.Send("""{"jsonrpc":"2.0","id":1,"method":"check"}""" + "\n");
        _fixture.Store.VerifyBegun.Wait(TestContext.Current.CancellationToken);
        using var other = _fixture.Connect();
        Assert.Equal(ControlErrorCode.Busy, other.Call("check").Code());
        Assert.NotNull(other.Call("status")["result"]);
        hold.Set();
        Assert.NotNull(_peer.Receive()!["result"]);
        Assert.NotNull(other.Call("check")["result"]);
    }

    [Fact]
    public void Stop_is_refused_with_the_reason_or_reaches_the_daemon()
    {
        _fixture.Daemon.Obstacle = "swap is on /dev/loop7";
        var reply = _peer.Call("stop");
        Assert.Equal(ControlErrorCode.StopRefused, reply.Code());
        Assert.Contains("/dev/loop7", reply.Message());
        _fixture.Daemon.Obstacle = null;
        Assert.Equal(4711, _peer.Call("stop")["result"]!["pid"]!.GetValue<int>());
        Assert.Equal(1, _fixture.Daemon.Stops);
    }

    [Fact]
    public void A_stop_that_is_only_asked_about_does_nothing()
    {
        _fixture.Daemon.Obstacle = "/mnt/fake is busy, held by process 5 (x)";
        var refused = _peer.Call("stop", "{\"dryRun\":true}");
        Assert.Equal(ControlErrorCode.StopRefused, refused.Code());
        _fixture.Daemon.Obstacle = null;
        Assert.Equal(4711, _peer.Call("stop", "{\"dryRun\":true}")["result"]!["pid"]!.GetValue<int>());
        Assert.Equal(0, _fixture.Daemon.Stops);
    }

    [Fact]
    public void Stop_discards_if_told_to_and_says_how_much()
    {
        _fixture.Daemon.Unwritten = 5000;
        var refused = _peer.Call("stop", "{}");
        Assert.Equal("tmemd goes on: the disk is full", refused.Message());
        Assert.Equal("make room on it, and stop again", refused["error"]!["data"]!["remedy"]!.GetValue<string>());
        Assert.Equal(ControlErrorCode.StopRefused, _peer.Call("stop", "{\"discard\":false}").Code());
        Assert.Equal(5000, _peer.Call("stop", "{\"discard\":true}")["result"]!["lostBytes"]!.GetValue<long>());
        Assert.Equal(1, _fixture.Daemon.Stops);
    }

    [Fact]
    public void A_removed_region_file_is_a_problem_that_status_and_check_tell()
    {
        Assert.False(Removed());
        _fixture.Store.FileRemoved = true;
        Assert.True(Removed());
        var problem = Assert.Single(_peer.Call("check")["result"]!["problems"]!.AsArray())!.GetValue<string>();
        Assert.Contains("removed or replaced", problem, StringComparison.Ordinal);
        Assert.EndsWith($"'tmemctl --socket {_fixture.SocketPath} stop --discard'", problem, StringComparison.Ordinal);

        bool Removed() => _peer.Call("status")["result"]!["store"]!["durability"]!["fileRemoved"]!.GetValue<bool>();
    }

    [Fact]
    public void A_fault_inside_the_daemon_is_an_answer_and_a_log_line()
    {
        _fixture.Store.Broken = true;
        Assert.Equal(ControlErrorCode.Internal, _peer.Call("status").Code());
        Assert.Contains("the fake is broken", Assert.Single(_fixture.Log));
        _fixture.Store.Broken = false;
        Assert.NotNull(_peer.Call("status")["result"]);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _fixture.Dispose();
    }
}
