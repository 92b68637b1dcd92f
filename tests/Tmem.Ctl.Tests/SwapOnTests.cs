using Tmem.Control.Messages;
using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>swap on: all or nothing, and what cannot work is refused beforehand.</summary>
public sealed class SwapOnTests : SwapTests
{
    [Fact]
    public void On_does_every_step_in_order_and_off_undoes_them()
    {
        var on = Run("swap", "on");
        Assert.Equal((ExitCode.Done, $"swap is on: /dev/loop7 and 7 more, 755.2 MiB, priorities 100 to 93, file {SwapPath}\n"),
            (on.Code, on.Output));
        string[] attach = ["attach", "dio", "cap", "mkswap"];
        Assert.Equal(["claim", "create", .. Eight(attach), "sole", .. Eight("swapon")], _system.Done);
        Assert.Equal(Enumerable.Range(0, 8).Select(number => ($"/dev/loop{7 + number}", 100 - number)),
            _system.On.Select(one => (one.Key, one.Value)));
        Assert.Equal(Sure, _system.Files[Key].Size);
        Assert.Equal(new SwapMark(FakeServer.IdOf("swap"), true).Text, _system.Files[Key].Mark);
        Assert.Equal("persistent", _server.Pools["swap"]);

        _system.Done.Clear();
        var off = Run("swap", "off");
        Assert.Equal(ExitCode.Done, off.Code);
        Assert.StartsWith("swapoff /dev/loop7 and 7 more: 100.0 MiB return to memory", off.Output);
        Assert.Contains("pool swap removed", off.Output);
        Assert.Equal([.. Eight("swapoff"), .. Eight("detach"), "unlink", "unclaim"], _system.Done);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);

        static IEnumerable<string> Eight(params string[] steps) => Enumerable.Repeat(steps, 8).SelectMany(steps => steps);
    }

    [Fact]
    public void A_pool_that_cannot_be_made_is_told_with_its_remedy()
    {
        _server.CreateError = new RpcError(ControlErrorCode.NoRoom, "pool 'swap' cannot be created: no room",
            new RpcErrorData("swap", "reserve less"));
        var on = Run("swap", "on", "--reserve", "1G");
        Assert.Equal((ExitCode.Failed, ""), (on.Code, on.Output));
        Assert.Contains("pool 'swap' cannot be created: no room (reserve less)", on.Error);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void Options_reach_the_kernel()
    {
        var report = Run("swap", "on", "--size", "10000K", "--priority", "7", "--pool", "mine", "--json").Json;
        Assert.Equal(10_000L << 10, report["sizeBytes"]!.GetValue<long>());
        Assert.Equal(7, _system.On["/dev/loop7"]);
        Assert.Equal($"{_server.Mount}/mine/swapfile", _system.Attached["/dev/loop7"].BackingFile);
        Assert.True(report["poolMade"]!.GetValue<bool>());
        Run("swap", "off");
        Run("swap", "on", "--size", "4100K"); // not whole pages of the odd kind: rounded down
        Assert.Equal(4100L << 10, _system.Files[Key].Size);
        Run("swap", "off");
        Run("swap", "on", "--size", "1048577");
        Assert.Equal(1L << 20, _system.Files[Key].Size);
    }

    [Theory]
    [InlineData("claim", "claim the name swapfile")]
    [InlineData("create", "create file")]
    [InlineData("attach", "attach a loop device")]
    [InlineData("dio", "direct I/O")]
    [InlineData("cap", "requests")]
    [InlineData("mkswap", "swap signature")]
    [InlineData("sole", "nobody else")]
    [InlineData("swapon", "swapon")]
    public void A_step_that_fails_is_named_and_leaves_nothing(string action, string step)
    {
        _system.FailAt = action;
        var outcome = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains(step, outcome.Error);
        Assert.Contains("(errno 5)", outcome.Error);
        Assert.Contains("were undone", outcome.Error);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
        // It works once the cause is gone.
        _system.FailAt = null;
        Assert.Equal(ExitCode.Done, Run("swap", "on").Code);
    }

    [Fact]
    public void A_pool_that_is_busy_for_a_moment_more_is_taken_back_too()
    {
        _system.FailAt = "mkswap";
        _server.Busy = 3;
        Assert.Contains("were undone", Run("swap", "on").Error);
        Assert.Empty(_server.Pools);
    }

    /// <summary>What cannot end well is refused before anything is made.</summary>
    [Theory]
    [InlineData("99999T", ExitCode.Usage, "'99999T' is too large; the most is 16.0 TiB")]
    [InlineData("16777217M", ExitCode.Usage, "the most is 16.0 TiB")]
    [InlineData("16T", ExitCode.Failed, "a store of 1.0 GiB could not hold so much even if")]
    [InlineData("513G", ExitCode.Failed, "give at most 755M, which it surely holds")]
    [InlineData("11G", ExitCode.Failed, "more than 10 times the store's capacity of 1.0 GiB")]
    [InlineData("11G", ExitCode.Failed, "or --force if your pages are known to shrink so well")]
    [InlineData("4K", ExitCode.Usage, "'4K' is too small; the least is 64.0 KiB")]
    [InlineData("1M - 1M", ExitCode.Usage, "'1M - 1M', which is 0 B, is too small; the least is 64.0 KiB")]
    [InlineData("0%", ExitCode.Usage, "'0%', which is 0 B, is too small")]
    [InlineData("max(ram, 17T)", ExitCode.Usage, "'max(ram, 17T)', which is 17.0 TiB, is too large; the most is 16.0 TiB")]
    [InlineData("ram / 0", ExitCode.Usage, "--size: 'ram / 0' is more than can be computed, or divided by 0; write it as 512M")]
    [InlineData("50 %%", ExitCode.Usage, "--size: '50 %%' cannot be read from '%' on; write it as 512M, 2GiB, 25% or min(")]
    [InlineData("2000000000%", ExitCode.Usage, "--size: '2000000000%', which is ")]
    [InlineData("1100%", ExitCode.Failed, "--size 11.0 GiB is more than 10 times the store's capacity of 1.0 GiB")]
    [InlineData("max(1%, 11G)", ExitCode.Failed, "--size 11.0 GiB is more than 10 times the store's capacity of 1.0 GiB")]
    public void A_size_that_cannot_be_is_refused_beforehand(string size, int code, string says)
    {
        var outcome = Run("swap", "on", "--size", size);
        Assert.Equal((code, ""), (outcome.Code, outcome.Output));
        Assert.Contains(says, outcome.Error);
        Assert.DoesNotContain(ControlMethod.PoolCreate, _server.Calls);
        Assert.Empty(_system.Done);
    }

    /// <summary>As the settings have sizes: a percentage is of the store's capacity, which is 1 GiB.</summary>
    [Theory]
    [InlineData("50%", 512L << 20)]
    [InlineData("200%", 2L << 30)]
    [InlineData("min(50%, 64M)", 64L << 20)]
    [InlineData("min(ram, 2 * 16M + 1M)", 33L << 20)]
    [InlineData("50% - 511M", 1L << 20)]
    public void A_size_may_be_a_share_or_an_expression(string size, long bytes)
    {
        Assert.Equal(ExitCode.Done, Run("swap", "on", "--size", size).Code);
        Assert.Equal(bytes, _system.Files[Key].Size);
    }

    [Fact]
    public void A_reserve_is_for_a_pool_that_is_made()
    {
        Assert.Equal(ExitCode.Done, Run("swap", "on", "--reserve", "64M").Code);
        Assert.Equal(64L << 20, _server.Reserved);
        Run("swap", "off");
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        Assert.Contains($"'{Tmemctl} pool reserve swap 64M'", Run("swap", "on", "--reserve", "64M").Error);
    }

    /// <summary>A copied command would otherwise act on the daemon of the default socket.</summary>
    [Fact]
    public void Each_command_line_that_is_named_addresses_the_same_daemon()
    {
        List<string> said = [];
        Say("swap", "status");
        _server.Pools["my pool"] = "persistent";
        _system.Folders["my pool"] = (0, 0x1FF);
        Say("swap", "on", "--pool", "my pool");
        Say("swap", "on", "--pool", "my pool", "--reserve", "64M");
        Say("swap", "on");
        Say("swap", "on");
        Say("stop");
        _system.Room = new MemoryRoom(60 << 20, []);
        Say("swap", "off");
        _system.Room = new MemoryRoom(1L << 40, []);
        foreach (var step in (string[])["swapoff", "detach"])
        {
            _system.FailAt = step;
            Say("swap", "off");
        }
        (_system.FailAt, _server.Processes) = (null, _server.Processes with { KeeperPid = 0 });
        Say("swap", "status");
        Say("status");
        _system.Stuck.Add("unlink");
        Say("swap", "on");
        (_system.FailAt, _server.Mute) = ("", true);
        Say("stop", "--timeout", "0.1");
        Say("pool", "destroy", "x", "--timeout", "0.1");
        Assert.All(said, text => Assert.DoesNotContain("tmemctl ",
            text.Replace(Tmemctl + " ", "", StringComparison.Ordinal), StringComparison.Ordinal));
        foreach (var command in (string[])["swap on' turns", "pool reserve my\\ pool 64M'", "swap off', and stop again",
            "swap off' again", "adopt'", "swap on' again", "status'", "pool list'"])
            Assert.Contains(said, text => text.Contains($"'{Tmemctl} {command}", StringComparison.Ordinal));
        Assert.Contains(said, text => text.Contains($"'chmod 700 {_server.Mount}/my\\ pool'", StringComparison.Ordinal));

        void Say(params string[] arguments)
        {
            var outcome = Run(arguments);
            said.Add(outcome.Output + outcome.Error);
        }
    }

    [Fact]
    public void With_more_guaranteed_than_there_is_swap_needs_a_pool_that_is_guaranteed_something()
    {
        Assert.DoesNotContain("NO ROOM", Run("status").Output);
        _server.Excess = new ReserveExcess("too much is promised", "promise less");
        Assert.Contains("NO ROOM", Run("status").Output);
        var on = Run("swap", "on");
        Assert.Equal((ExitCode.Failed, "tmemctl: there is no room for swap: too much is promised; promise less\n"),
            (on.Code, on.Error));
        Assert.Empty(_server.Pools);
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        _server.Guaranteed = 64 << 20;
        Assert.Equal(ExitCode.Done, Run("swap", "on", "--size", "64M").Code);
    }

    [Fact]
    public void A_second_on_is_refused_and_changes_nothing()
    {
        Run("swap", "on");
        _system.Done.Clear();
        var outcome = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("swap is on already: /dev/loop7", outcome.Error);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void A_pool_that_was_there_stays_and_an_ephemeral_one_is_refused()
    {
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        Assert.Equal(ExitCode.Done, Run("swap", "on").Code);
        Run("swap", "off");
        Assert.Equal("persistent", _server.Pools["swap"]);
        _server.Pools["swap"] = "ephemeral";
        var outcome = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("ephemeral", outcome.Error);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void A_pool_that_others_can_reach_is_refused()
    {
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (1000, 0x1C0);
        var outcome = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("belongs to user 1000", outcome.Error);
        _system.Folders["swap"] = (0, 0x1ED);
        Assert.Contains("chmod 700", Run("swap", "on").Error);
        Assert.True(_system.IsClean);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void A_file_that_somebody_else_has_open_is_not_swapped_to()
    {
        _system.Watched = true;
        Assert.Contains("somebody else has it open", Run("swap", "on").Error);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void A_device_larger_than_what_the_store_surely_holds_comes_with_a_warning()
    {
        Assert.Contains("the store surely holds 755.2 MiB", Run("swap", "on", "--size", "4G").Output);
        Run("swap", "off");
        // Far beyond the limit, the caller has to insist.
        Assert.Contains("the store surely holds 755.2 MiB", Run("swap", "on", "--size", "11G", "--force").Output);
        Assert.Equal(11L << 30, _system.Files[Key].Size);
        Run("swap", "off");
        _server.UsedBytes = 1L << 30;
        var full = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, full.Code);
        Assert.Contains("no room left for swap", full.Error);
    }
}
