using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>A daemon with pages in it, a client that measures, and one that exercises names; all must be well in the end.</summary>
internal sealed class CrashRig : IDisposable
{
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;

    /// <param name="mebibytes">Capacity for what the workloads store; the ballast comes on top.</param>
    public CrashRig(int mebibytes = 256)
    {
        Daemon = Daemon.Start($"{mebibytes + Extent.Pages / 512}M");
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

    /// <summary>Ends the clients and asserts that none saw an error, and that the store is whole.</summary>
    public void AllIsWell(string phase)
    {
        Prober.AwaitRound();
        Names.Finish();
        Assert.True(Names.Problem is null, $"{Names.Problem}\n{Daemon.Log}");
        Assert.True(Prober.Problem is null, $"{Prober.Problem}\n{Daemon.Log}");
        Prober.Dispose();
        Daemon.Control("check").Succeeds();
        Say($"{phase}: {Killer.Summary()}; 0 wrong pages, 0 errors, 0 stuck requests, {Names.Operations} operations on names");
    }

    public void Say(string line) => _output?.WriteLine(line);

    public void Dispose()
    {
        Names.Dispose();
        Prober.Dispose();
        Daemon.Dispose();
    }

    /// <summary>Pages that shrink, each another.</summary>
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
