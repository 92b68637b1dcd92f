namespace Tmem.Engine.Tests;

/// <summary>The verifier beside a load finds nothing where nothing is wrong. (What it has to find: CorruptionTests and FlipTests.)</summary>
public sealed class VerifierTests
{
    [Fact]
    public void APoolThatIsBeingEmptiedIsNotTakenForLeaks()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        var pool = engine.PoolTable.Find(Engines.Pool(client))!;
        Fill(client, pool.Id);

        // As DestroyPool does it, which a look may fall into the middle of for as long as the pool is large.
        Assert.True(engine.PoolTable.TryEnd(pool, pool.Owner));
        Engines.AssertClean(engine.Verify());
        engine.Operations.Drain(pool);
        Engines.AssertClean(engine.Verify());
        engine.PoolTable.Forget(pool);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void PoolsThatComeAndGoAreNotTakenForLeaks()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        using var end = new CancellationTokenSource();
        var threads = Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            while (!end.IsCancellationRequested)
            {
                var pool = Engines.Pool(client);
                Fill(client, pool);
                client.DestroyPool(pool);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        try
        {
            for (var look = 0; look < 30; look++) Engines.AssertClean(engine.Verify());
        }
        finally
        {
            end.Cancel();
            threads.ForEach(thread => thread.Join());
        }
        Engines.AssertSound(engine);
    }

    /// <summary>Objects of one page, of one node and of a tree of nodes.</summary>
    private static void Fill(TmemClient client, PoolId pool)
    {
        var page = Pages.Text(1);
        for (uint i = 0; i < 300; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(i % 3), i % 3 == 0 ? 0 : i * 20, page));
    }
}
