namespace Tmem.Engine.Tests;

/// <summary>What the engine keeps for each client, and how it admits their growth.</summary>
public sealed class ClientTableTests
{
    [Fact]
    public void A_client_that_nobody_holds_is_forgotten_and_one_with_pools_or_settings_is_not()
    {
        using var engine = Engines.Still();
        var pool = MakeAFew(engine);
        for (uint id = 1000; id < 100_000; id++)
        {
            engine.Client(new TmemClientId(id)).Pools();
            if (id % 10_000 == 0) GC.Collect();
        }
        Assert.InRange(engine.ClientTable.Known, 1, 30_000);
        Assert.Equal([1u, 2u, 3u], engine.Clients().Select(client => client.Id.Value));
        Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(1)).FlushPage(pool, new ObjectId(1), 0));
        Assert.Equal(5, engine.Client(new TmemClientId(2)).Info().Options.Weight);
        Assert.Equal(TmemStatus.ForeignClient, engine.Client(new TmemClientId(1000)).FlushPage(pool, new ObjectId(1), 0));
    }

    [Fact]
    public void An_authorisation_makes_no_client_that_is_kept()
    {
        using var engine = Engines.Still();
        for (uint id = 1; id < 10_000; id++)
        {
            engine.Authorise(new TmemClientId(id), new SharedId(1, 1));
            engine.Revoke(new TmemClientId(id), new SharedId(1, 1));
        }
        Assert.Equal(0, engine.ClientTable.Known);
    }

    /// <summary>A refused growth was never part of the sum: it cannot cause the refusal of another that fits.</summary>
    [Theory]
    [InlineData(100_000, 0)]
    [InlineData(0, 100_000)]
    public void A_growth_that_is_refused_refuses_no_other_that_fits(long poolLimit, long clientLimit)
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        client.Configure(new ClientOptions(LimitBytes: clientLimit));
        var pool = engine.PoolTable.Find(Engines.Pool(client, limit: poolLimit))!;
        Assert.Equal(TmemStatus.Ok, pool.TryGrow(80_000));
        var stop = false;
        var stored = 0;
        var doomed = new Thread(() =>
        {
            while (!Volatile.Read(ref stop)) stored += pool.TryGrow(50_000) == TmemStatus.Ok ? 1 : 0;
        });
        doomed.Start();
        for (var i = 0; i < 500_000; i++)
        {
            Assert.Equal(TmemStatus.Ok, pool.TryGrow(10_000));
            pool.TryGrow(-10_000);
        }
        Volatile.Write(ref stop, true);
        doomed.Join();
        Assert.Equal(0, stored);
        pool.TryGrow(-80_000);
        Assert.Equal(0, pool.Memory);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static PoolId MakeAFew(TmemEngine engine)
    {
        var pool = Engines.Pool(engine.Client(new TmemClientId(1)));
        engine.Client(new TmemClientId(1)).Put(pool, new ObjectId(1), 0, Pages.Random(1));
        engine.Client(new TmemClientId(2)).Configure(new ClientOptions(5));
        engine.Authorise(new TmemClientId(3), new SharedId(7, 7));
        return pool;
    }
}
