using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Swap where room is short: in the store, and in the memory that swapped pages are to return to.</summary>
public class SwapRoomTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void Pages_that_do_not_shrink_fill_the_device_and_then_go_to_the_disk_behind_it()
    {
        Require();
        using var daemon = Daemon.Start("96M");
        using var disk = new DiskSwap(160 * MiB);
        daemon.Control("swap", "on", "--priority", "32000").Succeeds();
        using var group = new MemoryGroup(32 * MiB);
        using (var process = Swapper.Hold(group, 224, random: true, 120))
        {
            Assert.True(disk.UsedBytes > 64 * MiB, $"only {disk.UsedBytes} bytes went to the disk");
            Assert.Equal(0, daemon.Figure("total.putsNoRoom"));
            Assert.Contains("if no page shrinks", daemon.Control("swap", "status").Succeeds().Output, StringComparison.Ordinal);
            process.Verify(120);
        }
        daemon.Control("check").Succeeds();
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)] // shared memory, as of tmpfs, is no cache that the kernel could drop
    [InlineData(false, true)] // then /proc/swaps has "/loop0"
    public void Swap_off_that_would_cost_a_process_its_life_is_refused_and_says_what_is_missing_where(bool shared,
        bool namespaceIsGone)
    {
        Require();
        using var daemon = Daemon.Start("128M");
        string[] on = [Built.Control, "--socket", daemon.Socket, "swap", "on", "--priority", "32000"];
        if (namespaceIsGone) on = ["unshare", "--mount", "--propagation", "private", .. on];
        Command.Run(on[0], on[1..]).Succeeds();
        using var group = new MemoryGroup(40 * MiB);
        using var process = Swapper.Hold(group, 64, random: false, 60, shared);
        var refused = daemon.Control("swap", "off");
        Assert.Equal(1, refused.Code);
        Assert.Contains($"of memory are missing in the memory group {group.Folder}", refused.Errors, StringComparison.Ordinal);
        Assert.True(process.IsAlive);
        group.Limit = 128 * MiB;
        daemon.Control("swap", "off").Succeeds();
        process.Verify(30);
        daemon.Stop();
    }

    private static void Require()
    {
        Requires.Machine();
        Requires.Swap();
        Requires.Group();
    }

    /// <summary>Swap on a file on disk, used after all others.</summary>
    private sealed class DiskSwap : IDisposable
    {
        private readonly string _file = Path.Combine(Built.Folder, $"disk-{Guid.NewGuid():N}.swap");
        private readonly string _device;

        public DiskSwap(long bytes)
        {
            Command.Run("fallocate", "--length", $"{bytes}", _file).Succeeds();
            _device = Command.Run("losetup", "--find", "--show", _file).Succeeds().Output.Trim();
            Command.Run("mkswap", _device).Succeeds();
            Command.Run("swapon", "--priority", "1", _device).Succeeds();
        }

        public long UsedBytes => File.ReadLines("/proc/swaps").Where(line => line.Split([' ', '\t'])[0] == _device)
            .Select(line => long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[3]) * 1024)
                .FirstOrDefault();

        public void Dispose()
        {
            Command.Run("swapoff", _device);
            Command.Run("losetup", "--detach", _device);
            File.Delete(_file);
        }
    }
}
