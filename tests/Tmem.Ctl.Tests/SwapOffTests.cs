using System.Text.RegularExpressions;
using Tmem.Control;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>swap off: undoes all there is, as often as it is called, and never without enough memory.</summary>
public sealed class SwapOffTests : SwapTests
{
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
            Assert.Contains("swap off failed: could not ", outcome.Error);
        }
        _system.FailAt = null;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
    }

    /// <summary>A device that is off in part would be taken for one that is on, and is smaller than it says.</summary>
    [Fact]
    public void A_part_that_cannot_be_turned_off_leaves_all_on()
    {
        Run("swap", "on");
        var before = _system.On.OrderBy(one => one.Key).ToList();
        var tries = 0;
        _system.WhileSwapOff = () => { if (++tries == 4) _system.FailAt = "swapoff"; };
        var off = Run("swap", "off");
        Assert.Equal(ExitCode.Failed, off.Code);
        Assert.Contains("swap off failed: could not swapoff /dev/loop11: Input/output error", off.Error);
        Assert.Equal(before, _system.On.OrderBy(one => one.Key));
        _system.FailAt = null;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
    }

    /// <summary>The kernel gives up a swapoff on which somebody has pressed Ctrl-C, and swaps on.</summary>
    [Fact]
    public void An_interrupted_off_says_that_swap_is_on()
    {
        Run("swap", "on");
        (_system.FailAt, _system.Error) = ("swapoff", "Interrupted system call (errno 4)");
        var outcome = Run("swap", "off");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Matches("^tmemctl: swap off was interrupted: /dev/[^;]+ is on, with what has not returned to memory yet; "
            + "'tmemctl .*swap off' goes on\n$", outcome.Error);
        _system.FailAt = null;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
    }

    /// <summary>A person at a terminal sees what is left while the kernel works; a file or a program gets none of it.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void While_it_takes_long_a_terminal_shows_what_is_left(bool isTerminal, bool json)
    {
        Run("swap", "on");
        using var output = new StringWriter();
        using var error = new StringWriter();
        var isShown = isTerminal && !json;
        var before = 0;
        _system.WhileSwapOff = () =>
        {
            before = _system.Looks;
            if (isShown) Assert.True(SpinWait.SpinUntil(() => _system.Looks > before + 2, TimeSpan.FromMinutes(1)));
            else Thread.Sleep(20);
        };
        var context = new SwapContext(new ControlClient(_server.SocketPath), _system,
            new Terminal(output, error, json, isTerminal)) { ProgressPause = TimeSpan.FromMilliseconds(1) };
        Assert.Equal(ExitCode.Done, new SwapOff(context, pool: null, all: false).Run(force: false));
        const string first = "\r100.0 MiB of 100.0 MiB are still on /dev/loop7 and 7 more\e[K",
            last = "\r12.5 MiB of 100.0 MiB are still on /dev/loop7 and 7 more\e[K";
        if (!isShown) Assert.Equal("", error.ToString());
        else Assert.Matches($"^({Regex.Escape(first)})+.*({Regex.Escape(last)})+\r\e\\[K$", error.ToString());
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
        // Other swap can take it; and the caller may insist.
        _system.On["/dev/sda2"] = -2;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Run("swap", "on");
        _system.On.Remove("/dev/sda2");
        Assert.Equal(ExitCode.Done, Run("swap", "off", "--force").Code);
    }
}
