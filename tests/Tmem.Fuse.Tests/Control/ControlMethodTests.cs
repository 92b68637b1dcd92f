using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>Each method, over a real socket.</summary>
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
        // A figure added to the engine and forgotten here would be invisible to whoever runs the machine.
        static string[] Names(Type type, params string[] without) =>
            [.. type.GetProperties().Select(property => property.Name).Except(without).Order()];
        Assert.Equal(Names(typeof(Engine.PoolStatistics)), Names(typeof(PoolFigures), "EqualityContract"));
        Assert.Equal(Names(typeof(Engine.EngineStatistics), "EqualityContract", "Total", "Pools"),
            Names(typeof(StoreFigures), "EqualityContract"));
    }

    [Fact]
    public void A_pool_is_created_listed_shown_and_destroyed()
    {
        var made = _peer.Call("pool.create",
            """{"name":"logs","ephemeral":true,"limit":1048576,"refuseIncompressible":true}""")["result"]!;
        Assert.Equal("ephemeral", made["kind"]!.GetValue<string>());
        Assert.Equal(Engine.PoolFlags.Shared, Assert.Single(_fixture.Store.Pools()).Options.Flags);
        _peer.Call("pool.create", """{"name":"data"}""");

        var list = _peer.Call("pool.list")["result"]!["pools"]!.AsArray();
        Assert.Equal(["data", "logs"], list.Select(pool => pool!["name"]!.GetValue<string>()));
        Assert.Equal(["persistent", "ephemeral"], list.Select(pool => pool!["kind"]!.GetValue<string>()));
        Assert.Equal(128, list[0]!["memoryBytes"]!.GetValue<long>());

        var shown = _peer.Call("pool.show", """{"name":"logs"}""")["result"]!;
        Assert.Equal(1048576, shown["limitBytes"]!.GetValue<long>());
        Assert.True(shown["refuseIncompressible"]!.GetValue<bool>());
        Assert.Equal(4096, shown["pageSize"]!.GetValue<int>());
        Assert.Equal(9, shown["figures"]!["evictions"]!.GetValue<long>());

        Assert.Equal(10, _peer.Call("pool.destroy", """{"name":"logs"}""")["result"]!["pagesFreed"]!.GetValue<long>());
        Assert.Equal("data", Assert.Single(_fixture.Store.Pools()).Name);
    }

    [Fact]
    public void A_pool_is_guaranteed_memory_when_it_is_made_and_later()
    {
        var made = _peer.Call("pool.create", """{"name":"swap","reserve":1048576}""")["result"]!;
        Assert.Equal(1048576, made["reserveBytes"]!.GetValue<long>());
        Assert.Equal(0, _peer.Call("pool.reserve",
            """{"name":"swap","reserve":0}""")["result"]!["reserveBytes"]!.GetValue<long>());
        Assert.Equal(4096, _peer.Call("pool.reserve",
            """{"name":"swap","reserve":4096}""")["result"]!["reserveBytes"]!.GetValue<long>());
        Assert.Equal(4096, _peer.Call("pool.list")["result"]!["pools"]![0]!["reserveBytes"]!.GetValue<long>());

        Assert.Equal(ControlErrorCode.NotFound, _peer.Call("pool.reserve", """{"name":"none","reserve":1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.reserve", """{"name":"swap","reserve":-1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            """{"name":"e","ephemeral":true,"reserve":1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            """{"name":"l","limit":1048576,"reserve":1048577}""").Code());
        _fixture.Store.CreateAnswers = Errno.ENOSPC;
        Assert.Equal(ControlErrorCode.NoRoom, _peer.Call("pool.reserve", """{"name":"swap","reserve":8192}""").Code());
    }

    [Fact]
    public void A_pool_that_holds_files_is_destroyed_by_force_alone()
    {
        _peer.Call("pool.create", """{"name":"full"}""");
        _fixture.Store.Filled.Add("full");
        Assert.Equal(ControlErrorCode.NotEmpty, _peer.Call("pool.destroy", """{"name":"full"}""").Code());
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"full","force":true}""")["result"]);
    }

    [Fact]
    public void A_pool_in_use_is_not_destroyed_at_all()
    {
        _peer.Call("pool.create", """{"name":"used"}""");
        _fixture.Store.Busy.Add("used");
        Assert.Equal(ControlErrorCode.Busy, _peer.Call("pool.destroy", """{"name":"used","force":true}""").Code());
    }

    [Theory]
    [InlineData("pool.show")]
    [InlineData("pool.destroy")]
    public void An_unknown_pool_is_named(string method)
    {
        var reply = _peer.Call(method, """{"name":"nowhere"}""");
        Assert.Equal(ControlErrorCode.NotFound, reply.Code());
        Assert.Contains("'nowhere'", reply.Message());
        Assert.Equal("nowhere", reply["error"]!["data"]!["subject"]!.GetValue<string>());
        Assert.Contains("pool list", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    [Fact]
    public void A_name_that_is_taken_is_refused()
    {
        _peer.Call("pool.create", """{"name":"one"}""");
        Assert.Equal(ControlErrorCode.Exists, _peer.Call("pool.create", """{"name":"one"}""").Code());
    }

    [Theory]
    [InlineData(nameof(Errno.ENOSPC), ControlErrorCode.NoRoom)]
    [InlineData(nameof(Errno.EINVAL), ControlErrorCode.InvalidParameters)]
    [InlineData(nameof(Errno.EIO), ControlErrorCode.Internal)]
    public void What_the_file_system_refuses_keeps_its_errno(string errno, int code)
    {
        _fixture.Store.CreateAnswers = Enum.Parse<Errno>(errno);
        var reply = _peer.Call("pool.create", """{"name":"x"}""");
        Assert.Equal(code, reply.Code());
        Assert.Contains(errno, reply.Message());
    }

    [Theory]
    [InlineData(1, "leaves room for nothing")]
    [InlineData(ControlProtocol.SmallestLimit - 1, "leaves room for nothing")]
    [InlineData((1L << 30) + 1, "more than the store's capacity of 1.0 GiB")]
    public void A_limit_that_cannot_have_been_meant_is_refused(long limit, string says)
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"x","limit":{{limit}}}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains(says, reply.Message());
        Assert.Empty(_fixture.Store.Pools());
    }

    [Theory]
    [InlineData("""a\tb""", """pool name 'a\tb' has a control character in it (U+0009)""", "without control characters")]
    [InlineData("""\u001b[31m""", """pool name '\x1b[31m' has a control character in it (U+001B)""", "without control")]
    [InlineData("""a\ufffdb""", "is not UTF-8", "in UTF-8")]
    [InlineData("""a/b""", "'a/b' is no file name", "without '/'")]
    [InlineData("""a\u202eb""", """pool name 'a\u202eb' has a character in it that turns the direction""", "without")]
    [InlineData("""\u2066""", "consists of blanks only", "can be seen")]
    [InlineData("""a\u2069""", "turns the direction of text (U+2069)", "without")]
    [InlineData("  ", "consists of blanks only", "can be seen")]
    [InlineData("""\u00a0\u200b\u3000""", "consists of blanks only", "can be seen")]
    public void A_name_that_cannot_be_shown_is_refused_with_its_reason(string name, string says, string remedy)
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"{{name}}"}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains(says, reply.Message());
        Assert.Contains(remedy, reply["error"]!["data"]!["remedy"]!.GetValue<string>());
        Assert.Empty(_fixture.Store.Pools());
    }

    /// <summary>mkdir takes any name: what it made is shown, and destroyed, by the name that it has.</summary>
    [Fact]
    public void A_pool_that_mkdir_made_can_be_named_whatever_its_name()
    {
        var directory = _fixture.Store;
        Assert.Equal(Errno.Ok, directory.CreatePool("a\tb", default, 0, out _));
        Assert.Equal("a\tb", _peer.Call("pool.show", """{"name":"a\tb"}""")["result"]!["name"]!.GetValue<string>());
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"a\tb"}""")["result"]);
        Assert.Equal(Errno.Ok, directory.CreatePool("\u202e ", default, 0, out _));
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"\u202e "}""")["result"]);
        // Bytes that are no UTF-8 are shown as U+FFFD, by which the file system does not find them.
        Assert.Equal(Errno.Ok, directory.CreatePool("\ufffd", default, 0, out _));
        _fixture.Store.DestroyAnswers = Errno.ENOENT;
        var reply = _peer.Call("pool.destroy", """{"name":"\ufffd"}""");
        Assert.Contains("its name is not UTF-8", reply.Message());
        Assert.Contains("through the mount", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    /// <summary>A refusal is about what was asked for: no word of a reserve where there was none.</summary>
    [Theory]
    [InlineData(nameof(Errno.ENOSPC), 0, "no room for it", "free memory in the store, or start")]
    [InlineData(nameof(Errno.ENOSPC), 4096, "with a reserve of 4.0 KiB: the store has not so much room",
        "reserve at most 19M, free")]
    [InlineData(nameof(Errno.EINVAL), 4096, "no pools of this kind with this limit and reserve", "--reserve")]
    [InlineData(nameof(Errno.ENAMETOOLONG), 0, "its name is too long", "shorter")]
    [InlineData(nameof(Errno.EIO), 0, "is damaged", "check' names what is")]
    public void A_refusal_of_the_file_system_has_its_reason_and_remedy(string errno, long reserve, string says, string remedy)
    {
        _fixture.Store.CreateAnswers = Enum.Parse<Errno>(errno);
        var reply = _peer.Call("pool.create", $$"""{"name":"x","reserve":{{reserve}}}""");
        Assert.Contains(says, reply.Message());
        Assert.Contains(remedy, reply["error"]!["data"]!["remedy"]!.GetValue<string>());
        Assert.DoesNotContain("not valid", reply.Message());
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

    [Fact]
    public void A_reserve_beyond_the_capacity_is_refused_as_that()
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"x","reserve":{{(1L << 30) + 1}}}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains("more than the store's capacity of 1.0 GiB", reply.Message());
    }

    [Fact]
    public void One_pool_too_many_is_told_so_and_not_that_memory_is_short()
    {
        Assert.Equal(Engine.Format.RegionLayout.MaximumPools, ControlProtocol.MaximumPools);
        for (var i = 0; i < ControlProtocol.MaximumPools; i++)
            Assert.Equal(Errno.Ok, ((Tmem.Fuse.Filesystem.IPoolDirectory)_fixture.Store).CreatePool($"p{i}", default, 0, out _));
        _fixture.Store.CreateAnswers = Errno.ENOSPC;
        var reply = _peer.Call("pool.create", """{"name":"x"}""");
        Assert.Contains("there are 832 already", reply.Message());
        Assert.DoesNotContain("capacity", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    /// <summary>Copied, it would else act on the daemon of the default socket.</summary>
    [Fact]
    public void Each_command_line_in_a_refusal_addresses_this_daemon()
    {
        List<string> said = [];
        Say("pool.show", """{"name":"x"}""");
        foreach (var errno in Enum.GetValues<Errno>().Where(errno => errno != Errno.Ok))
        {
            _fixture.Store.CreateAnswers = errno;
            Say("pool.create", """{"name":"x"}""");
            Say("pool.create", """{"name":"x","reserve":4096}""");
        }
        foreach (var obstacle in (string[])["swap is still on /mnt/fake: /dev/loop7", "the loop device /dev/loop7 stands on it",
            "/mnt/fake is busy, held by process 7 (bash)", "the region's file cannot be written (NoRoom)"])
        {
            _fixture.Daemon.Obstacle = obstacle;
            Say("stop", null);
            Say("adopt", null);
            Say("upgrade", "{}");
        }
        var addressed = $"tmemctl --socket {_fixture.SocketPath} ";
        Assert.All(said, text => Assert.DoesNotContain("tmemctl", text.Replace(addressed, "", StringComparison.Ordinal),
            StringComparison.Ordinal));
        foreach (var command in (string[])["pool list", "check", "swap off", "adopt"])
            Assert.Contains(said, text => text.Contains($"'{addressed}{command}'", StringComparison.Ordinal));

        void Say(string method, string? parameters)
        {
            var error = _peer.Call(method, parameters)["error"]!;
            said.Add($"{error["message"]} {error["data"]!["remedy"]}");
        }
    }

    [Theory]
    [InlineData("swap is still on /mnt/fake: /dev/loop7", "swap off", true)]
    [InlineData("/mnt/fake is busy, held by process 7 (bash)", "swap off", false)]
    [InlineData("the region's file cannot be written (NoRoom)", "swap off", false)]
    [InlineData("the region's file cannot be written (NoRoom)", "make room", true)]
    public void The_remedy_of_a_refused_stop_is_about_its_reason(string reason, string remedy, bool named)
    {
        _fixture.Daemon.Obstacle = reason;
        Assert.Equal(named, _peer.Call("stop")["error"]!["data"]!["remedy"]!.GetValue<string>()
            .Contains(remedy, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":null}""")]
    [InlineData("""{"name":"a/b"}""")]
    [InlineData("""{"name":".."}""")]
    [InlineData("""{"name":"a\u0000b"}""")]
    [InlineData("""{"name":"\ud800"}""")]
    [InlineData("""{"name":17}""")]
    [InlineData("""{"name":"x","limit":-1}""")]
    [InlineData("""{"name":"x","limit":1.5}""")]
    [InlineData("""{"name":"x","limit":99999999999999999999}""")]
    [InlineData("""{"name":"x","ephemeral":"yes"}""")]
    [InlineData("""{"name":"x","ephemral":true}""")]
    [InlineData("""{"name":"x","name":"y"}""")]
    [InlineData("""["x"]""")]
    [InlineData("null", ControlErrorCode.InvalidRequest)]
    [InlineData("17", ControlErrorCode.InvalidRequest)]
    public void Wrong_parameters_change_nothing(string parameters, int code = ControlErrorCode.InvalidParameters)
    {
        Assert.Equal(code, _peer.Call("pool.create", parameters).Code());
        Assert.Empty(_fixture.Store.Pools());
        Assert.Empty(_fixture.Log);
    }

    [Fact]
    public void A_name_of_256_bytes_is_refused_and_one_of_255_is_not()
    {
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            $$"""{"name":"{{new string('ä', 128)}}"}""").Code());
        Assert.NotNull(_peer.Call("pool.create", $$"""{"name":"{{new string('ä', 127)}}b"}""")["result"]);
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
