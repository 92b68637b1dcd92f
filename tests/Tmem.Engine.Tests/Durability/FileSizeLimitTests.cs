using System.Runtime.InteropServices;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A limit on the size of files (ulimit -f) is an answer that names it. Going beyond it sends SIGXFSZ, which would end these
/// tests too.
/// </summary>
[Collection(WholeProcess.Name)]
public sealed unsafe partial class FileSizeLimitTests : IDisposable
{
    private const int FileSize = 1;
    private static readonly ValuedPages s_pages = new(Pages.Random);

    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-region-").FullName;
    private readonly List<TmemNotice> _notices = [];
    private readonly ulong _most;

    public FileSizeLimitTests()
    {
        var limits = stackalloc ulong[2];
        Assert.Equal(0, GetLimit(FileSize, limits));
        _most = limits[0];
    }

    public void Dispose()
    {
        Limit(_most);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_region_that_would_be_larger_is_refused_with_the_limit()
    {
        Limit(5_000_000);
        var said = Assert.Throws<RegionException>(() => Open()).Message;
        Assert.Contains("may have files of 5000000 bytes at most; raise that limit (ulimit -f unlimited", said,
            StringComparison.Ordinal);
        Limit(_most);
        Open().Dispose();
    }

    [Fact]
    public void A_journal_that_would_reach_further_is_a_full_disk_until_the_limit_is_raised()
    {
        PoolId pool;
        using (var engine = Open())
        {
            pool = s_pages.Fill(engine, 5);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            Limit((ulong)engine.Memory.Length + (256 << 10));
            s_pages.Fill(engine, pool, 5, 800);
            Assert.Equal(TmemStatus.DiskFull, engine.Sync());
            Assert.True(SpinWait.SpinUntil(() => _notices.Count > 0, TimeSpan.FromSeconds(60)));
            Assert.Contains("bytes at most. Nothing is lost", _notices[0].Sentence, StringComparison.Ordinal);
            Assert.Contains("Remedy: raise that limit", _notices[0].Sentence, StringComparison.Ordinal);
            Assert.DoesNotContain("Make room", _notices[0].Sentence, StringComparison.Ordinal);
            Limit(_most);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
        }
        using var again = Open();
        s_pages.AssertHolds(again, pool, 800);
    }

    private TmemEngine Open() => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 16 * Engines.Mebi, RegionPath = Path.Combine(_folder, "region"), SyncInterval = TimeSpan.Zero,
        CompactInBackground = false, Notice = _notices.Add,
    });

    /// <summary>The soft one, of the whole process.</summary>
    private static void Limit(ulong bytes)
    {
        var limits = stackalloc ulong[2];
        Assert.Equal(0, GetLimit(FileSize, limits));
        limits[0] = Math.Min(bytes, limits[1]);
        Assert.Equal(0, SetLimit(FileSize, limits));
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ulong* limits);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, ulong* limits);
}
