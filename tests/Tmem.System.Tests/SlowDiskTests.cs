using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A region on a disk that stands still: the disk is another tmem mount, whose worker is stopped.</summary>
public sealed class SlowDiskTests
{
    private const int Callers = 12;

    [Fact]
    public async Task Any_number_of_fsyncs_holds_up_nobody_else()
    {
        Requires.Swap();
        var folder = Daemon.NewFolder();
        using var disk = Daemon.Start("256M");
        try
        {
            using var daemon = Daemon.Start("64M", folder, "--region", Path.Combine(disk.Pool("disk"), "tmem.region"),
                "--sync-interval", "0", "--threads", "4");
            var pool = daemon.Pool("p");
            var bytes = new byte[1 << 20];
            new Random(3).NextBytes(bytes);
            Bounded.Run(() => File.WriteAllBytes(Path.Combine(pool, "data"), bytes));
            daemon.Control("swap", "on", "--size", "16M").Succeeds();
            var device = MachineState.Loops().Single(loop => loop.File.StartsWith(daemon.Mount, StringComparison.Ordinal)).Device;
            var worker = disk.Worker;
            Syscall.kill(worker, Signum.SIGSTOP);
            var callers = Enumerable.Range(0, Callers).Select(number => Task.Factory.StartNew(
                () => Command.RunFor(120, "dd", "if=/dev/zero", $"of={pool}/f{number}", "bs=4k", "count=1", "conv=fsync"),
                    TaskCreationOptions.LongRunning)).ToList();
            try
            {
                await WaitFor(pool);
                for (var round = 0; round < 20; round++)
                {
                    // Bypassing the page cache, as swap reads do; and the swap device itself.
                    Command.RunFor(30, "dd", $"if={pool}/data", "of=/dev/null", "bs=64k", "iflag=direct").Succeeds();
                    Command.RunFor(30, "dd", $"if={device}", "of=/dev/null", "bs=4k", "count=64", "iflag=direct").Succeeds();
                    Bounded.Run(() =>
                    {
                        File.WriteAllBytes(Path.Combine(pool, "other"), bytes);
                        File.Move(Path.Combine(pool, "other"), Path.Combine(pool, "moved"), overwrite: true);
                    }, 30);
                }
                Assert.All(callers, caller => Assert.False(caller.IsCompleted));
            }
            finally
            {
                Syscall.kill(worker, Signum.SIGCONT);
            }
            foreach (var caller in callers)
                (await caller.WaitAsync(TimeSpan.FromSeconds(120), TestContext.Current.CancellationToken)).Succeeds();
            daemon.Control("swap", "off").Succeeds();
            daemon.Stop();
        }
        finally
        {
            Syscall.kill(disk.Worker, Signum.SIGCONT);
            Directory.Delete(folder, recursive: true);
        }
        disk.Stop();
    }

    /// <summary>Waits until all callers' files are there: each caller is in its fsync then, or about to be.</summary>
    private static async Task WaitFor(string pool)
    {
        for (
            var tries = 0; Bounded.Run(() => Enumerable.Range(0, Callers)
                .Count(number => new FileInfo(Path.Combine(pool, $"f{number}"))
                    is { Exists: true, Length: 4096 })) < Callers; tries++)
        {
            Assert.True(tries < 300, "the callers do not get as far as their fsync");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
        await Task.Delay(500, TestContext.Current.CancellationToken);
    }
}
