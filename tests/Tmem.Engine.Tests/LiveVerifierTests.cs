using Tmem.Engine.Diagnostics;
using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>
/// The verifier that works beside others: it holds a latch for a bounded number of slots, however large an object, and finds what
/// the quiescent one finds.
/// </summary>
public sealed class LiveVerifierTests
{
    [Fact]
    public void No_hold_grows_with_an_object_or_a_bucket()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var page = new byte[Pages.Size];
        // One object of many same-filled pages: they take no slots.
        for (uint i = 0; i < 40_000; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i * 3, page));
        for (uint i = 0; i < 20_000; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(2 + i), 0, page));
        using var verifier = new LiveVerifier(engine.Slabs, engine.Dictionaries, engine.PoolTable, engine.Operations);
        var report = verifier.Run();
        Assert.True(report.Clean, string.Join(Environment.NewLine, report.Problems));
        Assert.Equal(60_000, report.PagesChecked);
        Assert.Equal(20_001, report.ObjectsChecked);
        Assert.InRange(verifier.LongestHold, LiveVerifier.Most / 2,
            LiveVerifier.Most + RadixNode.Fanout + RadixNode.MaximumHeight);
    }

    [Fact]
    public unsafe void What_the_index_does_not_reach_is_a_leak()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 200; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        Assert.True(engine.Verify().Clean);
        // A page's slot whose leaf is empty, a node that is in no tree, an object that is in no bucket.
        var leaf = Engines.Leaf(engine, pool, new ObjectId(1), 7);
        var kept = *leaf;
        *leaf = 0;
        Assert.Contains(engine.Verify().Problems,
            problem => problem.Contains("(PersistentPages) is in use and nothing refers to it", StringComparison.Ordinal));
        *leaf = kept;
        ref var bucket = ref engine.PoolTable.Find(pool)!.BucketAt(Pools.Pool.BucketOf(new ObjectId(1)));
        var root = bucket.Root;
        bucket.Root = 0;
        var problems = engine.Verify().Problems;
        Assert.Contains(problems, problem =>
            problem.Contains("(Objects) is in use and nothing refers to it", StringComparison.Ordinal));
        Assert.Contains(problems, problem =>
            problem.Contains("(Nodes) is in use and nothing refers to it", StringComparison.Ordinal));
        bucket.Root = root;
        Assert.True(engine.Verify().Clean);
    }
}
