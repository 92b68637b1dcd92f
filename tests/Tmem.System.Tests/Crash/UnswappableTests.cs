using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// Nothing of the store goes to the swap device that the store serves, not even while no worker lives and no process has it
/// locked: a process that needed such a page would wait for itself.
/// </summary>
public class UnswappableTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void Memory_that_a_dead_worker_left_is_not_swapped()
    {
        Requires.Swap();
        Requires.Group();
        using var group = new MemoryGroup(1024 * MiB);
        using var daemon = Daemon.Start("256M");
        var pool = daemon.Pool("p");
        daemon.Control("swap", "on", "--size", "128M", "--priority", "32000").Succeeds();
        group.Add(daemon.Id);
        group.Add(daemon.Worker);
        var worker = daemon.Worker;
        // From here on the keeper does nothing about the worker's memory.
        daemon.Signal(Signum.SIGSTOP);
        try
        {
            var bytes = new byte[32 * MiB];
            new Random(5).NextBytes(bytes);
            var file = Path.Combine(pool, "f");
            Bounded.Run(() => File.WriteAllBytes(file, bytes));
            Syscall.kill(worker, Signum.SIGKILL);
            group.Reclaim(64 * MiB);
            Assert.Equal(0, group.Swapped);
            daemon.Signal(Signum.SIGCONT);
            daemon.AwaitRestarts(1);
            Bounded.Run(() => Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(bytes)));
        }
        finally
        {
            daemon.Signal(Signum.SIGCONT);
        }
        daemon.Control("swap", "off").Succeeds();
        daemon.Stop();
    }
}
