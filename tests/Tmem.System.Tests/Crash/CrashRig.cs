using System.Globalization;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A daemon with pages in it, a client that measures, and one that exercises names; all must be well in the end.
/// </summary>
internal sealed class CrashRig : IDisposable
{
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;

    /// <param name="mebibytes">Capacity for what the workloads store; the ballast comes on top.</param>
    /// <param name="start">Starts the daemon with a capacity.</param>
    public CrashRig(int mebibytes = 256, Func<string, Daemon>? start = null)
    {
        var capacity = $"{mebibytes + Extent.Pages / 512}M";
        Daemon = start is null ? Daemon.Start(capacity) : start(capacity);
        try
        {
            var pool = Daemon.Pool("crash");
            FillPages(Path.Combine(pool, "ballast"));
            Prober = new Prober(Path.Combine(pool, "probe"));
            Names = new MetadataExerciser(Path.Combine(pool, "names"), 7);
            Killer = new Killer(Daemon, Prober, 11);
        }
        catch
        {
            Daemon.Dispose();
            throw;
        }
    }

    public Daemon Daemon { get; }

    public Prober Prober { get; }

    public MetadataExerciser Names { get; }

    public Killer Killer { get; }

    /// <summary>Ends the clients and asserts that none saw an error, and that the store is sound.</summary>
    public void AllIsWell(string phase)
    {
        Prober.AwaitRound();
        Names.Finish();
        Assert.True(Names.Problem is null, $"{Names.Problem}\n{Daemon.Log}");
        Assert.True(Prober.Problem is null, $"{Prober.Problem}\n{Daemon.Log}");
        Prober.Dispose();
        Daemon.Control("check").Succeeds();
        Assert.Equal(0, Daemon.Figure("processes.keeperAllocatedBytes"));
        Say(
            $"{phase}: {Extent.Pages} pages stored besides, {Killer.Kills} kills: 0 wrong pages, 0 errors, 0 stuck requests, "
            + $"{Names.Operations} operations on names");
        Judge($"{phase}: stall at the client after a kill", Killer.Stalls, Extent.MostMillisecondsAfterKill);
    }

    public void Say(string line) => _output?.WriteLine(line);

    /// <summary>
    /// A line with figure, target and verdict; scripts/soak counts the verdicts, because a shared machine is no place to test
    /// times.
    /// </summary>
    public void Judge(string what, IReadOnlyList<double> milliseconds, int target)
    {
        if (milliseconds.Count == 0) return;
        var sorted = milliseconds.Order().ToArray();
        Say(string.Create(CultureInfo.InvariantCulture,
            $"{what}, of {sorted.Length}: median {sorted[sorted.Length / 2]:F0} ms, longest {sorted[^1]:F0} ms, target {target} "
            + $"ms: {(sorted[^1] <= target ? "met" : "MISSED")}"));
    }

    public void Dispose()
    {
        Names.Dispose();
        try
        {
            Prober.Dispose();
        }
        finally
        {
            // Whatever failed, no swap device outlives its daemon.
            Daemon.Dispose();
        }
    }

    /// <summary>Pages that shrink, each different.</summary>
    private static void FillPages(string file) => Bounded.Run(() =>
    {
        using var stream = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        var page = new byte[4096];
        var random = new Random(3);
        for (var number = 0; number < Extent.Pages; number++)
        {
            random.NextBytes(page.AsSpan(0, 1024));
            stream.Write(page);
        }
    }, 600);
}
