using System.Text.Json.Nodes;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Processes swap to tmem for real, each in a memory cgroup of its own.</summary>
public class SwapTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void Half_a_gibibyte_swapped_through_a_quarter_of_it_comes_back_right()
    {
        using var daemon = StartWithSwap("512M", "1G");
        var outcome = Workload.Run("512M", 128 * MiB, 300);
        var phases = Workload.Phases(outcome.Succeeds());
        Assert.Equal(["fill", "order", "random"], phases.Keys);
        Assert.All(phases.Values, p => Assert.Equal(0, p["wrongPages"]!.GetValue<long>()));
        Assert.True(phases["fill"]["swappedBytes"]!.GetValue<long>() > 256 * MiB,
            $"the workload did not swap:\n{outcome.Output}");
        Assert.True(daemon.Figure("total.puts") > 64 * 1024, "the pages went elsewhere than to this daemon");
        daemon.Control("check").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_daemon_whose_memory_group_may_swap_gets_no_swap()
    {
        Requires.Swap();
        Requires.Group();
        using var group = new MemoryGroup(512 * MiB);
        using var daemon = Daemon.StartIn(group, "64M");
        daemon.AwaitLog("is limited to 512.0 MiB and may swap");
        Assert.DoesNotContain("and the capacity is", daemon.Log, StringComparison.Ordinal);
        var outcome = daemon.Control("swap", "on", "--size", "64M");
        Assert.Equal(1, outcome.Code);
        Assert.Contains($"write 0 to {group.Folder}/", outcome.All, StringComparison.Ordinal);
        Assert.Contains("may swap", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
        group.KeepOutOfSwap();
        daemon.Control("swap", "on", "--size", "64M").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_store_too_small_for_the_swap_on_it_loses_no_page()
    {
        // 192 MiB have to be swapped out and shrink to about 80; 40 are there.
        using var daemon = StartWithSwap("40M", "512M");
        var outcome = Workload.Run("256M", 64 * MiB, 240);
        // A kill as out of memory is an honest refusal, and so is an end in time; a wrong page (exit code 4) or a hang is not.
        Assert.True(outcome.Code is 0 or 137, $"exit code {outcome.Code}\n{outcome.All}\n{daemon.Log}");
        Assert.All(Workload.Phases(outcome).Values, p => Assert.Equal(0, p["wrongPages"]!.GetValue<long>()));
        Assert.True(daemon.IsAlive, daemon.Log);
        Assert.True(daemon.Figure("total.putsNoRoom") > 0, "the store was never full");
        daemon.Control("check").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_daemon_that_is_swapped_to_refuses_to_end()
    {
        using var daemon = StartWithSwap("64M", "64M");
        daemon.Signal(Signum.SIGTERM);
        for (var tries = 0; tries < 100 && !daemon.Log.Contains("swap", StringComparison.OrdinalIgnoreCase); tries++)
            Thread.Sleep(50);
        Assert.Contains("swap", daemon.Log, StringComparison.OrdinalIgnoreCase);
        Assert.False(daemon.WaitForEnd(2), $"the daemon ended under its swap device\n{daemon.Log}");
        var stop = daemon.Control("stop", "--force");
        Assert.Equal(1, stop.Code);
        Assert.Contains("swap", stop.All, StringComparison.OrdinalIgnoreCase);
        daemon.Control("status").Succeeds();

        daemon.Control("swap", "off").Succeeds();
        daemon.Signal(Signum.SIGTERM);
        Assert.True(daemon.WaitForEnd(30), $"SIGTERM did not end the daemon\n{daemon.Log}");
        Assert.Equal(0, daemon.ExitCode);
        Assert.False(MachineState.IsMounted(daemon.Mount));
    }

    [Fact]
    public void Swap_on_and_off_undo_each_other()
    {
        using var daemon = StartWithSwap("64M", "64M");
        Assert.Equal(1, daemon.Control("swap", "on").Code);
        Assert.Contains(MachineState.Loops(), l => l.File.StartsWith(daemon.Mount, StringComparison.Ordinal));
        daemon.Control("swap", "status").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        Assert.DoesNotContain(MachineState.Loops(), l => l.File.StartsWith(daemon.Mount, StringComparison.Ordinal));
        Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
        daemon.Control("swap", "on", "--size", "32M").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    /// <summary>The first one is filled, the rest goes to the second; another daemon's of the same name is another one.</summary>
    [Fact]
    public void Several_devices_of_a_store_are_swapped_to_and_turned_off_one_by_one()
    {
        using var daemon = StartWithSwap("512M", "64M");
        daemon.Control("swap", "on", "second", "--size", "512M", "--priority", "31000").Succeeds();
        using var other = Daemon.Start("64M");
        other.Control("swap", "on", "second", "--size", "16M", "--priority", "1").Succeeds();
        var phases = Workload.Phases(Workload.Run("320M", 128 * MiB, 240).Succeeds());
        Assert.All(phases.Values, p => Assert.Equal(0, p["wrongPages"]!.GetValue<long>()));
        foreach (var pool in (string[])["swap", "second"])
            Assert.True(JsonNode.Parse(daemon.Control("pool", "show", pool, "--json").Succeeds().Output)!["figures"]!["puts"]!
                .GetValue<long>() > 8 * 1024, $"{pool} was not swapped to");

        var off = daemon.Control("swap", "off");
        Assert.Equal(1, off.Code);
        Assert.Contains("2 swap devices are on, and stay", off.All, StringComparison.Ordinal);
        Assert.Contains("swap off --all", daemon.Control("stop", "--force").All, StringComparison.Ordinal);
        daemon.Control("swap", "off", "swap").Succeeds();
        var device = Assert.Single(Devices(daemon));
        Assert.Equal("second", device["pool"]!.GetValue<string>());
        // By hand, and what that leaves.
        foreach (var part in device["parts"]!.AsArray()) Command.Run("swapoff", part!["device"]!.GetValue<string>()).Succeeds();
        Assert.Empty(Devices(daemon));
        Assert.Contains("swap on second' makes it anew", daemon.Control("swap", "status").Succeeds().Output,
            StringComparison.Ordinal);
        daemon.Control("swap", "on", "second", "--size", "16M").Succeeds();
        daemon.Control("swap", "on", "--size", "16M").Succeeds();
        daemon.Control("swap", "off", "--all").Succeeds();
        Assert.Empty(Bounded.Run(() => Directory.GetFileSystemEntries(daemon.Mount)));
        Assert.Equal("second", Assert.Single(Devices(other))["pool"]!.GetValue<string>());
        other.Control("swap", "off", "second").Succeeds();
        other.Stop();
        daemon.Stop();
    }

    /// <summary>
    /// The kernel writes to fresh clusters as long as a device has one, and tells nothing of one in which a slot is in use: a
    /// device of one part fills up with pages that nobody needs, whatever is swapped.
    /// </summary>
    [Fact]
    public void What_a_rewriting_program_leaves_behind_is_bounded_by_the_part_in_use()
    {
        using var daemon = StartWithSwap("512M", "512M");
        using var group = new MemoryGroup(24 * MiB);
        using (Swapper.Rewrite(group, 48, 500_000, 240))
        {
            var device = Assert.Single(Devices(daemon));
            var parts = device["parts"]!.AsArray();
            Assert.Equal(8, parts.Count);
            var (original, used) = (device["originalBytes"]!.GetValue<long>(), device["usedBytes"]!.GetValue<long>());
            TestContext.Current.TestOutputHelper!.WriteLine($"{used >> 20} MiB are swapped, and {original >> 20} MiB are stored");
            Assert.InRange(used, 16 * MiB, 64 * MiB);
            Assert.InRange(original, 16 * MiB, used + parts[0]!["sizeBytes"]!.GetValue<long>());
        }
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    private static JsonNode[] Devices(Daemon daemon) =>
        [.. JsonNode.Parse(daemon.Control("swap", "status", "--json").Succeeds().Output)!["devices"]!.AsArray()
            .Select(device => device!)];

    private static Daemon StartWithSwap(string capacity, string size)
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        var others = MachineState.Swaps();
        var daemon = Daemon.Start(capacity);
        try
        {
            daemon.Control("swap", "on", "--size", size, "--priority", "32000", "--force").Succeeds();
            Assert.NotEmpty(MachineState.Swaps().Except(others));
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }
}
