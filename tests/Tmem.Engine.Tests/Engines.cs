using Tmem.Engine.Index;
using Tmem.Engine.Pam;

namespace Tmem.Engine.Tests;

/// <summary>Engines for tests, and what every test checks at its end.</summary>
internal static class Engines
{
    public const long Mebi = 1 << 20;

    public static TmemEngine Anonymous(long capacity = 64 * Mebi) =>
        TmemEngine.Open(new EngineOptions { CapacityBytes = capacity });

    /// <summary>An engine that compacts only when asked to.</summary>
    public static TmemEngine Still(long capacity = 64 * Mebi) =>
        TmemEngine.Open(new EngineOptions { CapacityBytes = capacity, CompactInBackground = false });

    public static PoolId Pool(TmemClient client, PoolFlags flags = PoolFlags.Persistent, long limit = 0)
    {
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(flags, limit), out var pool));
        return pool;
    }

    public static void AssertSound(TmemEngine engine)
    {
        AssertClean(engine.Verify(quiescent: true));
        var statistics = engine.Statistics();
        Assert.InRange(statistics.PeakUsedBytes, 0, statistics.CapacityBytes);
    }

    public static void AssertClean(VerifierReport report) =>
        Assert.True(report.Clean, string.Join(Environment.NewLine, report.Problems));

    public static PoolStatistics Figures(TmemClient client, PoolId pool)
    {
        Assert.Equal(TmemStatus.Ok, client.PoolInfo(pool, out var info));
        return info!.Statistics;
    }

    /// <summary>The place of a stored page's descriptor.</summary>
    public static unsafe ulong* Leaf(TmemEngine engine, PoolId pool, in ObjectId id, uint index)
    {
        var tree = new RadixTree<RegionHost, CompressedStore>(new RegionHost(engine.Slabs),
            new CompressedStore(engine.Slabs, engine.Dictionaries));
        var owner = engine.PoolTable.Find(pool)!;
        var obj = Treap.Find(new ObjectOrder<RegionHost>(new RegionHost(engine.Slabs)),
            owner.BucketAt(Pools.Pool.BucketOf(id)).Root, id);
        return (ulong*)engine.Slabs.At(tree.FindLeaf(obj, index));
    }
}
