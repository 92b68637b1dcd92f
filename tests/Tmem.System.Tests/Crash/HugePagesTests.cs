using System.Diagnostics;
using System.Globalization;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// With <c>--huge-pages</c> the store's memory is in pages of 2 MiB after a while, also for the successor of a worker that died,
/// and every byte is unchanged.
/// </summary>
public class HugePagesTests
{
    private const int MiB = 1 << 20;

    [Fact]
    public void A_store_in_pages_of_2_MiB_outlives_its_worker_and_gives_back_what_is_deleted()
    {
        Requires.Machine();
        using var daemon = Daemon.Start("256M", null, "--huge-pages");
        var pool = daemon.Pool("p");
        var bytes = new byte[64 * MiB];
        new Random(7).NextBytes(bytes);
        var (kept, gone) = (Path.Combine(pool, "kept"), Path.Combine(pool, "gone"));
        Bounded.Run(() => File.WriteAllBytes(kept, bytes));
        Bounded.Run(() => File.WriteAllBytes(gone, bytes));
        if (!Await(() => HugeBytes(daemon.Worker) >= 100 * MiB))
            Assert.Skip("the system gave no pages of 2 MiB: a kernel before 6.1, or little memory");

        Syscall.kill(daemon.Worker, Signum.SIGKILL);
        daemon.AwaitRestarts(1);
        Bounded.Run(() => Assert.True(File.ReadAllBytes(kept).AsSpan().SequenceEqual(bytes)));
        Assert.InRange(HugeBytes(daemon.Worker), 32 * MiB, long.MaxValue);

        var before = daemon.Figure("store.usedBytes");
        Bounded.Run(() => File.Delete(gone));
        Assert.True(Await(() => daemon.Figure("store.usedBytes") < before - 60 * MiB));
        Bounded.Run(() => Assert.True(File.ReadAllBytes(kept).AsSpan().SequenceEqual(bytes)));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    private static bool Await(Func<bool> condition)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromSeconds(30); Thread.Sleep(100))
        {
            if (condition()) return true;
        }
        return false;
    }

    private static long HugeBytes(int process)
    {
        const string name = "ShmemPmdMapped:";
        var line = File.ReadLines($"/proc/{process}/smaps_rollup").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture) << 10;
    }
}
