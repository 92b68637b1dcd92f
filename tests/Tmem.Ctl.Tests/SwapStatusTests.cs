using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>What swap status shows.</summary>
public sealed class SwapStatusTests : SwapTests
{
    [Fact]
    public void Status_shows_the_device_with_its_pools_figures_and_how_near_the_wall_is()
    {
        Assert.Contains("swap is off", Run("swap", "status").Output);
        Assert.False(Run("swap", "status", "--json").Json["on"]!.GetValue<bool>());
        Run("swap", "on");
        var lines = Run("swap", "status").Lines;
        Assert.Equal(3, lines.Length);
        Assert.Contains("/dev/loop7 +7  2.0 GiB  100.0 MiB       100  swap", lines[1]);
        Assert.EndsWith(SwapPath, lines[1]);
        // The fake pool has too few pages to tell a ratio; the fake device has 1.9 GiB unused.
        Assert.Equal(
            "/dev/loop7 +7: the store has room for 755.2 MiB more if no page shrinks; 1.9 GiB of the device are unused, and once "
            + "the store is full, writes to it fail", lines[2]);
        var device = Run("swap", "status", "--json").Json["devices"]![0]!;
        Assert.Equal(Enumerable.Range(0, 8).Select(number => 100 - number),
            device["parts"]!.AsArray().Select(part => part!["priority"]!.GetValue<int>()));
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
    public void Proc_swaps_is_read_in_bytes()
    {
        var entries = LinuxSwapSystem.ParseSwaps(
            "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/loop0                              "
            + "partition\t1048572\t\t12\t\t100\n/my\\040file file 8 4 -2\njunk\n");
        Assert.Equal([new SwapEntry("/dev/loop0", 1048572L * 1024, 12 * 1024, 100),
            new SwapEntry("/my\\040file", 8192, 4096, -2)], entries);
    }

    [Theory]
    [InlineData("/loop12", "partition", "/dev/loop12")] // the mount namespace that it was turned on in is gone
    [InlineData("/dev/loop3\\040(deleted)", "partition", "/dev/loop3")]
    [InlineData("/root/dev/loop3", "partition", "/dev/loop3")]
    [InlineData("/loop12", "file", "/loop12")]
    [InlineData("/dev/mapper/loop1", "partition", "/dev/mapper/loop1")]
    [InlineData("/dev/loop1p2", "partition", "/dev/loop1p2")]
    [InlineData("/dev/sda2", "partition", "/dev/sda2")]
    public void A_loop_device_has_one_name_wherever_it_was_turned_on(string path, string type, string name) =>
        Assert.Equal(name, LinuxSwapSystem.ParseSwaps($"heading\n{path} {type} 8 4 1\n")[0].Device);
}
