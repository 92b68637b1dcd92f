namespace Tmem.Engine.Tests.Linearizability;

/// <summary>Concurrent calls on one handle have an order: the contract holds for threads as it does for one caller.</summary>
public sealed class LinearizabilityTests
{
    private const int Rounds = 12;
    private const int Calls = 4000;

    [Theory]
    [InlineData(PoolFlags.Persistent, 2)]
    [InlineData(PoolFlags.Persistent, 4)]
    [InlineData(PoolFlags.None, 2)]
    [InlineData(PoolFlags.None, 4)]
    [InlineData(PoolFlags.Shared, 2)]
    [InlineData(PoolFlags.Shared, 4)]
    public void With_room_every_kind_of_pool_is_linearizable(PoolFlags flags, int threads)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var subject = new Subject(client, Engines.Pool(client, flags));
        var model = new HandleModel(GetConsumes: flags == PoolFlags.None, MayVanish: false, MayRefuse: false);
        for (var seed = 0; seed < Rounds; seed++)
            Race.AssertLinearizable(subject, model, threads, Calls, seed);
        Engines.AssertSound(engine);
    }

    /// <summary>
    /// A third thread keeps the store full and moves what is stored: persistent puts are refused now and then, ephemeral pages
    /// vanish under the callers, pages and nodes change their places.
    /// </summary>
    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.None)]
    [InlineData(PoolFlags.Shared)]
    public void In_a_full_store_every_kind_of_pool_is_linearizable(PoolFlags flags)
    {
        using var engine = Engines.Anonymous(Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        var ballast = Engines.Pool(client, flags == PoolFlags.Persistent ? PoolFlags.Persistent : PoolFlags.Shared);
        var model = new HandleModel(GetConsumes: flags == PoolFlags.None, MayVanish: flags != PoolFlags.Persistent,
            MayRefuse: true);
        using var stop = new CancellationTokenSource();
        var presser = new Thread(() =>
        {
            // Random pages at one index after the other; a refused one makes room for a while.
            var page = Pages.Random(1);
            for (uint i = 0; !stop.IsCancellationRequested; i++)
            {
                if (i % 16 == 0) engine.Compact(64);
                if (client.Put(ballast, new ObjectId(i % 64), i / 64 % 16, page) == TmemStatus.NoRoom)
                    client.FlushObject(ballast, new ObjectId(i % 64));
            }
        });
        presser.Start();
        try
        {
            var subject = new Subject(client, pool);
            for (var seed = 0; seed < Rounds; seed++) Race.AssertLinearizable(subject, model, 3, Calls, seed);
        }
        finally
        {
            stop.Cancel();
            presser.Join();
        }
        var figures = Engines.Figures(client, pool);
        if (flags == PoolFlags.Persistent) Assert.True(figures.PutsNoRoom > 0, "no put was refused: the store was not full");
        else Assert.True(figures.Evictions > 0, "nothing was evicted: the store was not full");
        Engines.AssertSound(engine);
    }
}
