using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// A group at its limit whose program is a quarter larger, walks over all its memory again and again, as a garbage collector
/// does, and writes to whatever it visits. Swap is free all the time, so no process may be killed; with zram none is.
/// Daemon/GroupStatistics.cs names the danger.
/// </summary>
public class GroupAtItsLimitTests
{
    private const int Runs = 2, Mebibytes = 20, Limit = 16 << 20;

    [Fact]
    public void As_few_are_killed_for_want_of_memory_as_with_zram()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
        if (!File.Exists("/sys/class/zram-control/hot_add")) Assert.Skip("no zram to compare with; load the module zram");
        int withZram, withTmem;
        using (new Zram(256L << 20)) withZram = Killed();
        using (var daemon = Daemon.Start("256M"))
        {
            daemon.Control("swap", "on", "--priority", "32000").Succeeds();
            withTmem = Killed();
            daemon.Control("swap", "off").Succeeds();
            daemon.Stop();
        }
        Assert.Equal((0, 0), (withZram, withTmem));
    }

    private static int Killed()
    {
        using var group = new MemoryGroup(Limit);
        return Enumerable.Range(0, Runs).Count(_ => Swapper.Walk(group, Mebibytes, passes: 20, lookups: 500, seconds: 120) != 0);
    }

    private sealed class Zram : IDisposable
    {
        private readonly string _number = File.ReadAllText("/sys/class/zram-control/hot_add").Trim();

        public Zram(long bytes)
        {
            File.WriteAllText($"/sys/block/zram{_number}/disksize", $"{bytes}");
            Command.Run("mkswap", $"/dev/zram{_number}").Succeeds();
            Command.Run("swapon", "--priority", "32000", $"/dev/zram{_number}").Succeeds();
        }

        public void Dispose()
        {
            Command.Run("swapoff", $"/dev/zram{_number}");
            File.WriteAllText("/sys/class/zram-control/hot_remove", _number);
        }
    }
}
