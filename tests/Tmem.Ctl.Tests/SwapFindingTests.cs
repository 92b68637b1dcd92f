using Tmem.Control.Host;
using Tmem.Ctl.Native;
using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// What swap commands find half done, renamed, planted or made by others: they take over our own and leave the rest alone.
/// </summary>
public sealed class SwapFindingTests : SwapTests
{
    [Fact]
    public void What_an_earlier_swap_left_is_taken_over()
    {
        // The machine was cut off with swap on, and the region restored the file.
        _server.Pools["swap"] = "persistent";
        _system.Folders["swap"] = (0, 0x1C0);
        _system.Add(Key, mark: new SwapMark(FakeServer.IdOf("swap"), true).Text);
        var on = Run("swap", "on");
        Assert.True(on.Code == ExitCode.Done, on.Error);
        Assert.Contains($"took away what an earlier swap had left: {SwapPath}", on.Output);
        Assert.Equal(Sure, _system.Files[Key].Size);
        // The pool that was made for it goes with it.
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
    public void A_planted_file_neither_hinders_nor_costs_a_pool()
    {
        // The marks that a user can copy, on files and in pools that do not belong to root alone.
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
    public void A_device_whose_file_was_removed_stands_for_its_pool_once()
    {
        Run("swap", "on");
        _system.Files.Remove(Key);
        Assert.DoesNotContain("left of an earlier swap", Run("swap", "status").Output);
        var off = Run("swap", "off");
        Assert.True(off.Code == ExitCode.Done, off.Error);
        Assert.True(_system.IsClean);
        Assert.Equal(1, _server.Calls.Count(call => call == Tmem.Control.Messages.ControlMethod.PoolDestroy));
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
        // Swap that somebody turned on by hand is shown, and left for that user to turn off.
        _system.On["/dev/loop1"] = 3;
        Assert.Contains($"not made by '{Tmemctl} swap on'", Run("swap", "status").Output);
        Assert.Contains("swapoff /dev/loop1", Run("swap", "off").Output);
        Assert.Equal(3, _system.Attached.Count);
        Assert.Single(_system.Files);
        Assert.Empty(_system.Done);
    }
}
