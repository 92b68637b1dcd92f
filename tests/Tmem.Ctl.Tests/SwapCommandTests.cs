using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>swap on, off and status against a fake kernel: all or nothing, and what is found half done is cleaned up.</summary>
public sealed class SwapCommandTests : IDisposable
{
    private readonly FakeServer _server = new();
    private readonly FakeSwapSystem _system = new();

    private string SwapPath => $"{_server.Mount}/swap/swapfile";

    [Fact]
    public void On_does_every_step_in_order_and_off_undoes_them()
    {
        var on = Run("swap", "on");
        Assert.Equal((ExitCode.Done, $"swap is on: /dev/loop7, 2.0 GiB, priority 100, file {SwapPath}\n"), (on.Code, on.Output));
        Assert.Equal(["create", "mark", "attach", "dio", "cap", "mkswap", "swapon"], _system.Done);
        Assert.Equal(2L << 30, _system.Sizes[SwapPath]);
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
    public void Options_reach_the_kernel()
    {
        var report = Run("swap", "on", "--size", "10000K", "--priority", "7", "--pool", "mine", "--json").Json;
        Assert.Equal(10_000L << 10, report["sizeBytes"]!.GetValue<long>());
        Assert.Equal(7, _system.On["/dev/loop7"]);
        Assert.Equal($"{_server.Mount}/mine/swapfile", _system.Attached["/dev/loop7"]);
        Assert.True(report["poolMade"]!.GetValue<bool>());
        Run("swap", "off");
        Run("swap", "on", "--size", "4100K"); // not whole pages of the odd kind: rounded down
        Assert.Equal(4100L << 10, _system.Sizes[SwapPath]);
        Run("swap", "off");
        Run("swap", "on", "--size", "1048577");
        Assert.Equal(1L << 20, _system.Sizes[SwapPath]);
    }

    [Theory]
    [InlineData("create", "create file")]
    [InlineData("mark", "mark file")]
    [InlineData("attach", "attach a loop device")]
    [InlineData("dio", "direct I/O")]
    [InlineData("cap", "requests")]
    [InlineData("mkswap", "mkswap")]
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
    public void What_could_not_be_undone_is_told_and_swap_off_cleans_it_up()
    {
        _system.FailAt = "mkswap";
        _system.Stuck.Add("detach");
        Assert.Contains("not undone: attach a loop device", Run("swap", "on").Error);
        _system.FailAt = null;
        _system.Stuck.Clear();
        _system.Attached["/dev/loop7"] = SwapPath;
        Assert.Contains("earlier swap was not undone", Run("swap", "on").Error);
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
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
        Run("swap", "on");
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
    public void Loops_and_files_of_others_are_left_alone()
    {
        _system.Attached["/dev/loop1"] = $"{_server.Mount}/data/disk.img";
        _system.Attached["/dev/loop2"] = $"{_server.Mount}2/swap/swapfile";
        _system.Attached["/dev/loop3"] = $"{_server.Mount}/data/deep/swapfile";
        _system.Files[$"{_server.Mount}/data/swapfile"] = null; // no mark: not ours
        Assert.Contains("off already", Run("swap", "off").Output);
        Assert.Equal(3, _system.Attached.Count);
        Assert.Single(_system.Files);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void Status_shows_the_device_with_its_pools_figures()
    {
        Assert.Contains("swap is off", Run("swap", "status").Output);
        Assert.False(Run("swap", "status", "--json").Json["on"]!.GetValue<bool>());
        Run("swap", "on");
        var lines = Run("swap", "status").Lines;
        Assert.Equal(2, lines.Length);
        Assert.Contains("/dev/loop7  2.0 GiB  100.0 MiB       100  swap", lines[1]);
        Assert.EndsWith(SwapPath, lines[1]);
        var device = Run("swap", "status", "--json").Json["devices"]![0]!;
        Assert.Equal(2.5, device["ratio"]!.GetValue<double>());
        Assert.Equal(100 << 20, device["usedBytes"]!.GetValue<long>());
    }

    [Fact]
    public void Proc_swaps_is_read_in_bytes()
    {
        var entries = LinuxSwapSystem.ParseSwaps("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/loop0                              partition\t1048572\t\t12\t\t100\n/my\\040file file 8 4 -2\njunk\n");
        Assert.Equal([new SwapEntry("/dev/loop0", 1048572L * 1024, 12 * 1024, 100), new SwapEntry("/my\\040file", 8192, 4096, -2)], entries);
    }

    private Outcome Run(params string[] arguments) => Ctl.Run(_system, _server.SocketPath, arguments);

    public void Dispose() => _server.Dispose();
}
