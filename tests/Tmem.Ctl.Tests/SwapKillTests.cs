using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// tmemctl is killed after each number of changes: nothing is undone, and the next "swap on" and "swap off" must know what is
/// left, whatever that is.
/// </summary>
public sealed class SwapKillTests : SwapTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void A_swap_on_that_is_killed_at_any_step_is_done_over_by_the_next_and_cleaned_up_by_off(bool made, bool reserved)
    {
        string[] on = reserved ? ["swap", "on", "--reserve", "64M"] : ["swap", "on"];
        var steps = CountOf(made, on);
        Assert.InRange(steps, 40, 60);
        for (var step = 0; step <= steps; step++)
        {
            Cut(made, step, on);
            var (wasOn, wasPartly) = (_system.On.Count == SwapParts.Most, _system.On.Count is > 0 and < SwapParts.Most);
            Assert.Equal(step == steps, wasOn);
            var again = Run(on);
            Assert.True(again.Code == (wasOn ? ExitCode.Failed : ExitCode.Done), $"after {step} changes: {again.Error}");
            if (wasOn) Assert.Contains("swap is on already", again.Error);
            if (wasPartly) Assert.Contains("swap 'swap' (/dev/loop7 and 7 more) was on in part", again.Output);
            Assert.Equal(Enumerable.Range(0, SwapParts.Most).Select(number => 100 - number),
                _system.On.OrderBy(one => _system.Attached[one.Key].Offset).Select(one => one.Value));
            Assert.Equal(reserved ? 64L << 20 : 0, _server.Reserved);
            AssertOff(made, step);

            Cut(made, step, on);
            AssertOff(made, step);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_swap_off_that_is_killed_at_any_step_is_finished_by_the_next(bool made)
    {
        Prepare(made);
        Assert.Equal(ExitCode.Done, Run("swap", "on").Code);
        _server.Life.Begin();
        AssertOff(made, -1);
        var steps = _server.Life.Changes;
        Assert.InRange(steps, 18, 24);
        for (var step = 0; step <= steps; step++)
        {
            Prepare(made);
            Assert.Equal(ExitCode.Done, Run("swap", "on").Code);
            _server.Life.Begin(step);
            Run("swap", "off");
            _server.Life.Begin();
            AssertOff(made, step);
        }
    }

    /// <summary>Root's pools and files that only look like a beginning of ours.</summary>
    [Fact]
    public void What_no_swap_on_began_is_left_alone()
    {
        _server.Pools["swap"] = _server.Pools["copy"] = _server.Pools["used"] = "persistent";
        _system.Folders["swap"] = _system.Folders["copy"] = _system.Folders["used"] = (0, 0x1C0);
        // Empty, root's alone, and called as ours would be: but no mark on it or on its pool.
        _system.Add("swap/swapfile");
        // A mark that was copied along with a pool: it names another pool.
        _system.Add("copy/swapfile");
        _system.Claims["copy"] = new SwapMark(FakeServer.IdOf("swap"), true).Text;
        // A pool that "swap on" made, which somebody keeps files in by now.
        _server.ForSwap.Add("used");
        _system.Add("used/data");
        var off = Run("swap", "off");
        Assert.Equal(ExitCode.Done, off.Code);
        Assert.Contains("swap is off already", off.Output);
        var on = Run("swap", "on");
        Assert.Contains("it is taken by something that 'swap on' did not make; rename that, or name another pool", on.Error);
        Assert.Equal(3, _system.Files.Count);
        Assert.Equal(3, _server.Pools.Count);
        Assert.Empty(_system.Done);
    }

    [Fact]
    public void An_empty_file_in_a_claimed_pool_is_ours_and_one_with_contents_is_not()
    {
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        _system.Claims["swap"] = new SwapMark(FakeServer.IdOf("swap"), false).Text;
        _system.Add(Key).Size = 1;
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.Equal([Key], _system.Files.Keys);
        Assert.Empty(_system.Claims);
    }

    [Fact]
    public void Two_at_once_do_not_take_each_others_work_for_something_left()
    {
        _system.IsLocked = true;
        foreach (var command in (string[])["on", "off"])
        {
            var outcome = Run("swap", command);
            Assert.Equal((ExitCode.Failed, $"tmemctl: another process is turning swap on or off; run '{Tmemctl} swap {command}' "
                + "again once that has ended\n"), (outcome.Code, outcome.Error));
        }
        Assert.Empty(_system.Done);
    }

    /// <summary>A pool that was there is root's alone.</summary>
    private void Prepare(bool made)
    {
        if (made) return;
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
    }

    private int CountOf(bool made, string[] on)
    {
        Prepare(made);
        _server.Life.Begin();
        Assert.Equal(ExitCode.Done, Run(on).Code);
        var changes = _server.Life.Changes;
        AssertOff(made, -1);
        return changes;
    }

    private void Cut(bool made, int changes, string[] on)
    {
        Prepare(made);
        _server.Life.Begin(changes);
        Run(on);
        _server.Life.Begin();
    }

    private void AssertOff(bool made, int step)
    {
        var off = Run("swap", "off");
        Assert.True(off.Code == ExitCode.Done, $"after {step} changes: {off.Error}");
        Assert.True(_system.IsClean, $"after {step} changes something is left");
        Assert.Equal(made ? [] : ["swap"], _server.Pools.Keys);
    }
}
