using Tmem.Ctl.Swap;
using Tmem.Control.Host;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Several swap devices on a store: each goes by its pool, and what one does leaves the others alone.</summary>
public sealed class SwapSeveralTests : SwapTests
{
    private const string FastKey = "fast/swapfile";

    private string FastPath => $"{_server.Mount}/{FastKey}";

    [Fact]
    public void Each_is_turned_on_and_off_by_its_name_and_all_are_shown()
    {
        Assert.Equal(ExitCode.Done, Run("swap", "on", "--size", "64M").Code);
        var on = Run("swap", "on", "fast", "--size", "128M", "--priority", "7");
        Assert.True(on.Code == ExitCode.Done, on.Error);
        Assert.Contains($"swap is on: /dev/loop8 and 1 more, 128.0 MiB, priorities 7 to 6, file {FastPath}", on.Output);
        Assert.Contains($"swap is on already: /dev/loop8 and 1 more, file {FastPath}; "
            + $"turn it off first with '{Tmemctl} swap off fast'",
            Run("swap", "on", "fast").Error);
        foreach (var command in (string[][])[["swap", "status"], ["status"], ["metrics"], ["top", "--once"]])
        {
            var shown = Run(command).Output;
            foreach (var word in (string[])["/dev/loop7", "/dev/loop8", "swap", "fast"]) Assert.Contains(word, shown);
        }
        var devices = Run("swap", "status", "--json").Json["devices"]!.AsArray();
        Assert.Equal(["swap", "fast"], devices.Select(device => device!["pool"]!.GetValue<string>()));

        Assert.Equal(ExitCode.Done, Run("swap", "off", "fast").Code);
        Assert.Equal(["/dev/loop7"], _system.On.Keys);
        Assert.Equal([Key], _system.Files.Keys);
        Assert.Equal(["swap"], _server.Pools.Keys);
        var again = Run("swap", "off", "fast");
        Assert.Equal((ExitCode.Done, $"swap 'fast' is off already: nothing to undo on {_server.Mount}, where swap 'swap' "
            + "(/dev/loop7) is on\n"), (again.Code, again.Output));
        // Nobody has to name the only one, whatever it is called.
        Run("swap", "off", "swap");
        Run("swap", "on", "fast");
        Assert.Equal(ExitCode.Done, Run("swap", "off").Code);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void Off_without_a_name_is_refused_where_several_are_on_and_all_of_them_go_at_once()
    {
        OnTwo();
        _system.Done.Clear();
        var off = Run("swap", "off");
        Assert.Equal((ExitCode.Failed, "tmemctl: 2 swap devices are on, and stay: swap 'swap' (/dev/loop7) and swap 'fast' "
            + $"(/dev/loop8); name one: '{Tmemctl} swap off NAME', or '{Tmemctl} swap off --all'\n"), (off.Code, off.Error));
        Assert.Contains($"turn it off with '{Tmemctl} swap off --all', and stop again", Run("stop").Error);
        Assert.Empty(_system.Done);
        var all = Run("swap", "off", "--all");
        Assert.True(all.Code == ExitCode.Done, all.Error);
        Assert.Contains("pool swap, fast removed", all.Output);
        Assert.True(_system.IsClean);
        Assert.Empty(_server.Pools);
    }

    /// <summary>Else the first would go to the second, and the second nowhere.</summary>
    [Fact]
    public void What_is_swapped_to_all_of_them_is_added_up_before_the_first_is_turned_off()
    {
        OnTwo();
        _system.Done.Clear();
        // 100 MiB are on each, and the store gives back 1.6 for each.
        _system.Room = new MemoryRoom(150 << 20, []);
        var all = Run("swap", "off", "--all");
        Assert.Equal(ExitCode.Failed, all.Code);
        Assert.Contains("46.7 MiB of memory are missing on this machine: 200.0 MiB are swapped", all.Error);
        Assert.Contains($"then run '{Tmemctl} swap off --all' again", all.Error);
        Assert.Empty(_system.Done);
        Assert.Equal(ExitCode.Done, Run("swap", "off", "fast").Code);
        Assert.Equal(["/dev/loop7"], _system.On.Keys);
    }

    /// <summary>What the first may still take is not the second's.</summary>
    [Fact]
    public void The_room_that_one_was_promised_is_not_promised_again()
    {
        Run("swap", "on");
        var second = Run("swap", "on", "fast");
        Assert.Equal((ExitCode.Failed, "tmemctl: the store has no room left for swap: 256.0 MiB of 1.0 GiB are used, and the "
            + "2.0 GiB of swap 'swap' (/dev/loop7 and 7 more) may fill the rest; give --size if your pages are known to shrink, "
            + "make the other device smaller, or the store larger\n"), (second.Code, second.Error));
        Assert.Contains("surely holds 0 B beside the 2.0 GiB of swap 'swap' (/dev/loop7 and 7 more)",
            Run("swap", "on", "fast", "--size", "1G").Output);
        // The fake kernel says 2 GiB of each.
        var third = Run("swap", "on", "more", "--size", "7G");
        Assert.Contains("--size 7.0 GiB makes 11.0 GiB with the 4.0 GiB of 2 other devices, which is more than 10 times",
            third.Error);
        Assert.Equal(ExitCode.Done, Run("swap", "on", "more", "--size", "6G").Code);
        Assert.All(Run("swap", "status", "--json").Json["devices"]!.AsArray(),
            device => Assert.Equal(0, device!["roomBytesAtWorst"]!.GetValue<long>()));
    }

    /// <summary>By the next command of either device; the other stays as it is.</summary>
    [Theory]
    [InlineData("on")]
    [InlineData("off", "fast")]
    [InlineData("off", "--all")]
    public void A_swap_on_that_is_killed_at_any_step_is_finished_by_the_next(params string[] next)
    {
        for (var (step, isWhole) = (0, false); !isWhole; step++)
        {
            Assert.InRange(step, 0, 60);
            _server.Life.Begin(step);
            Run("swap", "on", "fast");
            _server.Life.Begin();
            var isOn = _system.On.Count > 0;
            isWhole = _system.On.Count == SwapParts.Most;
            var outcome = Run(["swap", .. next, .. next is ["on"] ? (string[])["--size", "64M"] : []]);
            Assert.True(outcome.Code == ExitCode.Done, $"after {step} changes: {outcome.Error}");
            string[] left = next is not ["on"] ? [] : isOn ? ["fast", "swap"] : ["swap"];
            Assert.Equal(left, _server.Pools.Keys.Order());
            Assert.Equal(ExitCode.Done, Run("swap", "off", "--all").Code);
            Assert.True(_system.IsClean, $"after {step} changes something is left");
            Assert.Empty(_server.Pools);
        }
    }

    [Fact]
    public void A_swap_off_of_one_that_is_killed_leaves_the_other_on()
    {
        for (var (step, isWhole) = (0, false); !isWhole; step++)
        {
            Assert.InRange(step, 0, 10);
            OnTwo();
            _server.Life.Begin(step);
            Run("swap", "off", "fast");
            _server.Life.Begin();
            isWhole = !_server.Pools.ContainsKey("fast");
            Assert.Contains("/dev/loop7", _system.On.Keys);
            Assert.Equal(ExitCode.Done, Run("swap", "off", "fast").Code);
            Assert.Equal(["swap"], _server.Pools.Keys);
            Assert.Equal(ExitCode.Done, Run("swap", "off", "--all").Code);
            Assert.True(_system.IsClean, $"after {step} changes something is left");
        }
    }

    [Fact]
    public void One_that_was_taken_down_by_hand_is_shown_and_cleaned_up_or_made_anew()
    {
        OnTwo();
        _system.On.Remove("/dev/loop8"); // swapoff
        Assert.Contains($"left of an earlier swap, and not in use: {FastPath} with /dev/loop8; '{Tmemctl} swap on fast' makes it "
            + $"anew, '{Tmemctl} swap off fast' removes it", Run("swap", "status").Output);
        _system.Attached.Remove("/dev/loop8"); // losetup -d
        Assert.Contains($"not in use: {FastPath}; '{Tmemctl} swap on fast'", Run("swap", "status").Output);
        Assert.Equal("fast", Run("swap", "status", "--json").Json["leftovers"]![0]!["pool"]!.GetValue<string>());
        var on = Run("swap", "on", "fast", "--size", "64M");
        Assert.True(on.Code == ExitCode.Done, on.Error);
        Assert.Contains($"took away what an earlier swap had left: {FastPath}", on.Output);
        _system.On.Remove("/dev/loop8");
        _system.Attached.Remove("/dev/loop8");
        Assert.Equal(ExitCode.Done, Run("swap", "off", "fast").Code);
        Assert.Equal([Key], _system.Files.Keys);
        Assert.Equal(["/dev/loop7"], _system.On.Keys);
    }

    /// <summary>The leftovers of one are no reason to be without the other.</summary>
    [Fact]
    public void What_one_has_left_and_cannot_be_taken_away_does_not_hinder_another()
    {
        Run("swap", "on", "fast", "--size", "64M");
        _system.On.Remove("/dev/loop7");
        _system.Stuck.Add("detach");
        var on = Run("swap", "on", "--size", "64M");
        Assert.True(on.Code == ExitCode.Done, on.Error);
        Assert.Contains($"what an earlier swap has left stays: {FastPath}: could not detach /dev/loop7", on.Output);
        Assert.Contains("an earlier swap file cannot be taken away", Run("swap", "on", "fast").Error);
    }

    /// <summary>They have names of their own: a device is known by the mount that its file is on.</summary>
    [Fact]
    public void A_device_of_the_same_name_on_another_daemons_mount_is_none_of_ours()
    {
        _system.Attach("/dev/loop1", "/mnt/other/fast/swapfile", new FileIdentity(0, _system.Minor + 1, 7),
            new SwapMark(FakeServer.IdOf("fast"), true).Text);
        _system.On["/dev/loop1"] = 100;
        Assert.Contains("swap 'fast' is off already", Run("swap", "off", "fast").Output);
        Assert.Equal(ExitCode.Done, Run("swap", "on", "fast").Code);
        Assert.Equal(ExitCode.Done, Run("swap", "off", "--all").Code);
        Assert.Equal(["/dev/loop1"], _system.On.Keys);
    }

    [Fact]
    public void A_pool_whose_swap_file_is_something_else_is_no_device()
    {
        _server.Pools["fast"] = "persistent";
        _system.Folders["fast"] = (0, 0x1C0);
        _system.Add(FastKey).Size = 1;
        Assert.Contains("claim the name swapfile in pool 'fast': it is taken by something that 'swap on' did not make; rename "
            + "that, or name another pool", Run("swap", "on", "fast").Error);
        Assert.Contains("off already", Run("swap", "off", "fast").Output);
        Assert.Contains("off already", Run("swap", "off", "--all").Output);
        Assert.Equal([FastKey], _system.Files.Keys);
        Assert.Empty(_system.Done);
    }

    [Theory]
    [InlineData("pool name 'a/b' is no file name", "swap", "on", "a/b")]
    [InlineData("pool name '..' is no file name", "swap", "off", "..")]
    [InlineData("the pool's name is missing or empty", "swap", "on", "")]
    [InlineData("pool name ' ' consists of blanks only", "swap", "on", " ")]
    [InlineData("--pool and NAME: give one of them", "swap", "on", "a", "--pool", "a")]
    [InlineData("--all and NAME: give one of them", "swap", "off", "a", "--all")]
    public void A_wrong_name_is_one_line(string says, params string[] arguments)
    {
        var outcome = Run(arguments);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Output));
        Assert.Contains(says, outcome.Error);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(_server.Calls);
    }

    /// <summary>
    /// A look into a pool is four requests to the file system: those that have nothing of swap, of which there may be hundreds,
    /// are not looked into, and for what asks for devices alone, none is.
    /// </summary>
    [Theory]
    [InlineData(0, "status")]
    [InlineData(0, "metrics")]
    [InlineData(0, "top", "--once")]
    [InlineData(0, "stop")]
    [InlineData(1, "swap", "status")]
    [InlineData(0, "pool", "list")]
    [InlineData(0, "pool", "show", "swap")]
    public void No_command_looks_into_more_pools_because_there_are_more(int looks, params string[] command)
    {
        Run("swap", "on", "--size", "64M");
        for (var pool = 0; pool < 500; pool++) _server.Pools[$"p{pool}"] = "persistent";
        _server.HoldsSwap = name => name == "swap";
        _system.Opened = 0;
        Run(command);
        Assert.Equal(looks, _system.Opened);
        // A daemon of an earlier version does not say where there is nothing.
        (_server.HoldsSwap, _system.Opened) = (null, 0);
        Run(command);
        Assert.Equal(looks * 501, _system.Opened);
    }

    private void OnTwo()
    {
        Assert.Equal(ExitCode.Done, Run("swap", "on", "--size", "64M").Code);
        var on = Run("swap", "on", "fast", "--size", "64M");
        Assert.True(on.Code == ExitCode.Done, on.Error);
    }
}
