using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>swap on, off and status against a fake kernel: all or nothing, and what is found half done is cleaned up.</summary>
public sealed class SwapCommandTests : IDisposable
{
    private readonly FakeServer _server = new();
    private readonly FakeSwapSystem _system = new();

    private const string Key = "swap/swapfile";

    // What is free of 1 GiB, less 1 MiB, in pages of 4160 bytes.
    private const long Sure = ((1L << 30) - (256L << 20) - (1L << 20)) / 4160 * 4096;

    private string Tmemctl => $"tmemctl --socket {_server.SocketPath}";

    private string SwapPath => $"{_server.Mount}/{Key}";

    [Fact]
    public void On_does_every_step_in_order_and_off_undoes_them()
    {
        var on = Run("swap", "on");
        Assert.Equal((ExitCode.Done, $"swap is on: /dev/loop7, 755.2 MiB, priority 100, file {SwapPath}\n"),
            (on.Code, on.Output));
        Assert.Equal(["chmod", "create", "attach", "dio", "cap", "mkswap", "sole", "swapon"], _system.Done);
        Assert.Equal(Sure, _system.Files[Key].Size);
        Assert.Equal(new SwapMark(FakeServer.IdOf("swap"), true).Text, _system.Files[Key].Mark);
        Assert.Equal("persistent", _server.Pools["swap"]);

        _system.Done.Clear();
        var off = Run("swap", "off");
        Assert.Equal(ExitCode.Done, off.Code);
        Assert.StartsWith("swapoff /dev/loop7: 100.0 MiB return to memory", off.Output);
        Assert.Contains("pool swap removed", off.Output);
        Assert.Equal(["swapoff", "detach", "unlink"], _system.Done);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
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
    [InlineData("chmod", "is root's alone")]
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
        // And once the cause is gone it works.
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

    /// <summary>What cannot come out well is refused before anything is made.</summary>
    [Theory]
    [InlineData("99999T", ExitCode.Usage, "'99999T' is too large; the most is 16.0 TiB")]
    [InlineData("16777217M", ExitCode.Usage, "the most is 16.0 TiB")]
    [InlineData("16T", ExitCode.Failed, "a store of 1.0 GiB could not hold so much")]
    [InlineData("513G", ExitCode.Failed, "it surely holds 755.2 MiB")]
    [InlineData("11G", ExitCode.Failed, "more than 10 times the store's capacity of 1.0 GiB")]
    [InlineData("11G", ExitCode.Failed, "or --force if your pages are known to shrink so well")]
    [InlineData("4K", ExitCode.Usage, "'4K' is too small; the least is 64.0 KiB")]
    public void A_size_that_cannot_be_is_refused_beforehand(string size, int code, string says)
    {
        var outcome = Run("swap", "on", "--size", size);
        Assert.Equal((code, ""), (outcome.Code, outcome.Output));
        Assert.Contains(says, outcome.Error);
        Assert.DoesNotContain(ControlMethod.PoolCreate, _server.Calls);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void What_could_not_be_undone_is_told_and_swap_off_cleans_it_up()
    {
        _system.FailAt = "mkswap";
        _system.Stuck.Add("detach");
        Assert.Contains("not undone: attach a loop device", Run("swap", "on").Error);
        _system.FailAt = null;
        _system.Stuck.Clear();
        _server.Pools["swap"] = "persistent";
        Assert.Single(_system.Attached);
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void What_an_earlier_swap_left_is_taken_over()
    {
        // The machine was cut off with swap on, and the region brought the file back.
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        _system.Add(Key, mark: new SwapMark(FakeServer.IdOf("swap"), true).Text);
        var on = Run("swap", "on");
        Assert.True(on.Code == ExitCode.Done, on.Error);
        Assert.Contains($"took away what an earlier swap had left: {SwapPath}", on.Output);
        Assert.Equal(Sure, _system.Files[Key].Size);
        // And the pool that was made for it then goes with it now.
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.Empty(_server.Pools);
    }

    [Theory]
    [InlineData("tmem swap, pool 7, kept", 7u, false)]
    [InlineData("tmem swap, pool 4294967295, made for it", 4294967295u, true)]
    public void A_mark_says_what_was_done_and_fits_in_a_devices_name(string text, uint pool, bool made)
    {
        Assert.True(SwapMark.TryRead(text, out var mark));
        Assert.Equal((new SwapMark(pool, made), text), (mark, mark.Text));
        Assert.True(text.Length < LoopInfo.NameLength);
        Assert.False(SwapMark.TryRead(text + "x", out _));
        Assert.False(SwapMark.TryRead(text.Replace("pool ", "pool +", StringComparison.Ordinal), out _));
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

    /// <summary>Copied, they would else act on the daemon of the default socket.</summary>
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
    public void Off_twice_is_done_twice()
    {
        Run("swap", "on");
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        var again = Run("swap", "off");
        Assert.Equal(ExitCode.Done, again.Code);
        Assert.Contains("swap is off already", again.Output);
    }

    [Fact]
    public void Off_goes_on_where_an_earlier_off_failed()
    {
        Run("swap", "on");
        foreach (var action in new[] { "swapoff", "detach", "unlink" })
        {
            _system.FailAt = action;
            var outcome = Run("swap", "off");
            Assert.Equal(ExitCode.Failed, outcome.Code);
            Assert.Contains("swap off failed at the step", outcome.Error);
        }
        _system.FailAt = null;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
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
    public void A_planted_file_neither_hinders_nor_costs_a_pool()
    {
        // The marks that a user can copy, on files and in pools that are not root's alone.
        _server.Pools["theirs"] = _server.Pools["admins"] = "persistent";
        _system.Folders["theirs"] = (1000, 0x1C0);
        _system.Add("theirs/swapfile", owner: 1000, oldMark: "pool made");
        _system.Add("admins/swapfile", owner: 1000, oldMark: "pool made",
            mark: new SwapMark(FakeServer.IdOf("admins"), true).Text);
        Assert.Equal(ExitCode.Done, Run("swap", "on").Code);
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.Equal(["admins", "theirs"], _server.Pools.Keys);
        Assert.Equal(2, _system.Files.Count);
    }

    [Fact]
    public void A_mark_of_another_pool_proves_nothing_and_an_old_one_of_roots_does()
    {
        _server.Pools["copy"] = _server.Pools["old"] = "persistent";
        _system.Folders["copy"] = _system.Folders["old"] = (0, 0x1C0);
        _system.Add("copy/swapfile", mark: new SwapMark(FakeServer.IdOf("swap"), true).Text);
        _system.Add("old/swapfile", oldMark: "pool made");
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.Equal(["copy"], _server.Pools.Keys);
        Assert.Equal(["copy/swapfile"], _system.Files.Keys);
    }

    [Fact]
    public void A_device_is_found_after_its_file_was_renamed_and_from_a_namespace_that_sees_another_path()
    {
        Run("swap", "on");
        _system.Files.Add("swap/renamed", _system.Files[Key]);
        _system.Files.Remove(Key);
        _system.Attached["/dev/loop7"] = _system.Attached["/dev/loop7"] with { BackingFile = "/swap/renamed" };
        Assert.Contains("/dev/loop7", Run("swap", "status").Output);
        Assert.Contains("swap is on already", Run("swap", "on").Error);
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
    }

    [Fact]
    public void Loops_and_files_of_others_are_left_alone()
    {
        _server.Pools["data"] = "persistent";
        _system.Folders["data"] = (0, 0x1C0);
        _system.Attach("/dev/loop1", $"{_server.Mount}/data/disk.img", new FileIdentity(0, _system.Minor, 1));
        _system.Attach("/dev/loop2", SwapPath, new FileIdentity(0, _system.Minor + 1, 2), new SwapMark(1, true).Text);
        _system.Attach("/dev/loop3", SwapPath, null);
        _system.Add("data/swapfile"); // no mark: not ours
        Assert.Contains("off already", Run("swap", "off").Output);
        // Swap that somebody turned on by hand is shown, and his to turn off.
        _system.On["/dev/loop1"] = 3;
        Assert.Contains($"not made by '{Tmemctl} swap on'", Run("swap", "status").Output);
        Assert.Contains("swapoff /dev/loop1", Run("swap", "off").Output);
        Assert.Equal(3, _system.Attached.Count);
        Assert.Single(_system.Files);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void Status_shows_the_device_with_its_pools_figures_and_how_near_the_wall_is()
    {
        Assert.Contains("swap is off", Run("swap", "status").Output);
        Assert.False(Run("swap", "status", "--json").Json["on"]!.GetValue<bool>());
        Run("swap", "on");
        var lines = Run("swap", "status").Lines;
        Assert.Equal(3, lines.Length);
        Assert.Contains("/dev/loop7  2.0 GiB  100.0 MiB       100  swap", lines[1]);
        Assert.EndsWith(SwapPath, lines[1]);
        // The fake pool's figures are of too few pages to tell a ratio; the fake device has 1.9 GiB unused.
        Assert.Equal(
            "/dev/loop7: the store has room for 755.2 MiB more if no page shrinks; 1.9 GiB of the device are unused, and once "
            + "the store is full, writes to it fail", lines[2]);
        var device = Run("swap", "status", "--json").Json["devices"]![0]!;
        Assert.Equal(2.5, device["ratio"]!.GetValue<double>());
        Assert.Equal(100 << 20, device["usedBytes"]!.GetValue<long>());
        Assert.Equal(Sure, device["roomBytesAtWorst"]!.GetValue<long>());
        Assert.Contains("room for 755.2 MiB more", Run("status").Output);
    }

    [Fact]
    public void Status_tells_what_an_earlier_swap_left()
    {
        Assert.Equal($"swap is off: nothing on {_server.Mount} is swapped to; '{Tmemctl} swap on' turns it on\n",
            Run("swap", "status").Output);
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        _system.Add(Key, mark: new SwapMark(FakeServer.IdOf("swap"), true).Text);
        Assert.Equal([$"swap is off: nothing on {_server.Mount} is swapped to",
            $"left of an earlier swap, and not in use: {SwapPath}; '{Tmemctl} swap on' makes it anew, "
            + $"'{Tmemctl} swap off' removes it"], Run("swap", "status").Lines);
        var report = Run("swap", "status", "--json").Json;
        Assert.False(report["on"]!.GetValue<bool>());
        Assert.Equal(SwapPath, report["leftovers"]![0]!["file"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(100 << 20, 100 << 20, "the store has room for the 100.0 MiB that are unused, even if no page shrinks")]
    [InlineData((100 << 20) - 4096, 100 << 20, "the store has room for the 100.0 MiB that are unused, even if no page shrinks")]
    [InlineData(60 << 20, 60 << 20, "the store has room for 60.0 MiB more if no page shrinks; 100.0 MiB of the device are "
        + "unused, and once the store is full, writes to it fail")]
    [InlineData(40 << 20, 90 << 20, "the store has room for 90.0 MiB more at the present ratio, 40.0 MiB more if no page "
        + "shrinks; 100.0 MiB of the device are unused, and once the store is full, writes to it fail")]
    public void The_wall_is_told_where_there_is_one(long atWorst, long atPresent, string says) =>
        Assert.Equal(says, new Wall(atWorst, atPresent).Describe(100 << 20));

    [Fact]
    public void A_device_larger_than_what_the_store_surely_holds_comes_with_a_warning()
    {
        Assert.Contains("the store surely holds 755.2 MiB", Run("swap", "on", "--size", "4G").Output);
        Run("swap", "off");
        // Far beyond, somebody has to insist.
        Assert.Contains("the store surely holds 755.2 MiB", Run("swap", "on", "--size", "11G", "--force").Output);
        Assert.Equal(11L << 30, _system.Files[Key].Size);
        Run("swap", "off");
        _server.UsedBytes = 1L << 30;
        var full = Run("swap", "on");
        Assert.Equal(ExitCode.Failed, full.Code);
        Assert.Contains("no room left for swap", full.Error);
    }

    [Fact]
    public void Off_without_memory_says_how_much_is_missing_and_where()
    {
        Run("swap", "on");
        _system.Done.Clear();
        _system.Room = new MemoryRoom(60 << 20, []);
        var outcome = Run("swap", "off");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        // 100 MiB are swapped, 60 available, and the store gives back 1.6.
        Assert.Contains("38.4 MiB of memory are missing on this machine", outcome.Error);
        _system.Room = new MemoryRoom(1L << 40, [new GroupRoom("/sys/fs/cgroup/memory/web", 200 << 20, 190 << 20, 90 << 20)]);
        Assert.Contains("80.0 MiB of memory are missing in the memory group /sys/fs/cgroup/memory/web", Run("swap", "off").Error);
        Assert.Empty(_system.Done);
        // Other swap can take it; and who insists is obeyed.
        _system.On["/dev/sda2"] = -2;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Run("swap", "on");
        _system.On.Remove("/dev/sda2");
        Assert.Equal(ExitCode.Done, Run("swap", "off", "--force").Code);
    }

    [Fact]
    public void Proc_swaps_is_read_in_bytes()
    {
        var entries = LinuxSwapSystem.ParseSwaps(
            "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/loop0                              "
            + "partition\t1048572\t\t12\t\t100\n/my\\040file file 8 4 -2\njunk\n");
        Assert.Equal([new SwapEntry("/dev/loop0", 1048572L * 1024, 12 * 1024, 100),
            new SwapEntry("/my\\040file", 8192, 4096, -2)], entries);
    }

    private Outcome Run(params string[] arguments) => Ctl.Run(_system, _server.SocketPath, arguments);

    public void Dispose() => _server.Dispose();
}
