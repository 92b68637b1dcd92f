namespace Tmem.Engine.Tests.Reclaim;

/// <summary>An eviction is counted once, and once more by its cause, unless that is a full store.</summary>
public sealed class EvictionCauseTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Evictions_are_counted_by_their_cause(bool sameFilled)
    {
        using var engine = Engines.Anonymous(sameFilled ? 2 * Engines.Mebi : 4 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));

        var limited = Engines.Pool(client, PoolFlags.None, limit: 60_000);
        Fill(client, limited, 1000, sameFilled);
        Check(Engines.Figures(client, limited), pool: true, client: false);

        var other = engine.Client(new TmemClientId(2));
        Assert.Equal(TmemStatus.Ok, other.Configure(new ClientOptions(LimitBytes: 60_000)));
        var its = Engines.Pool(other, PoolFlags.None);
        Fill(other, its, 1000, sameFilled);
        Check(Engines.Figures(other, its), pool: false, client: true);

        var free = Engines.Pool(client, PoolFlags.None);
        Fill(client, free, sameFilled ? 26_500 : 2000, sameFilled);
        Check(Engines.Figures(client, free), pool: false, client: false);
        Engines.AssertSound(engine);
    }

    private static void Check(in PoolStatistics figures, bool pool, bool client)
    {
        Assert.True(figures.Evictions > 0, figures.ToString());
        Assert.Equal(pool ? figures.Evictions : 0, figures.EvictionsPoolLimit);
        Assert.Equal(client ? figures.Evictions : 0, figures.EvictionsClientLimit);
    }

    /// <summary>A page an object: same-filled pages take memory of the index only.</summary>
    private static void Fill(TmemClient client, PoolId pool, int pages, bool sameFilled)
    {
        for (var i = 0; i < pages; i++)
            client.Put(pool, new ObjectId((ulong)i + 1), 0, sameFilled ? new byte[4096] : Pages.Random(i));
    }
}
