using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;

namespace Tmem.Engine.Tests.Reclaim;

/// <summary>Who loses pages first: the client most over the share that its weight gives it.</summary>
public sealed class OverShareTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Still();
    private readonly OverShare _over;

    public OverShareTests() => _over = new OverShare(_engine.ClientTable);

    public void Dispose() => _engine.Dispose();

    private ClientState Client(uint number, int pages, int weight = 1, PoolKind kind = PoolKind.Cache)
    {
        var client = _engine.Client(new TmemClientId(number));
        Assert.Equal(TmemStatus.Ok, client.Configure(new ClientOptions { Weight = weight }));
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(kind), out var pool));
        for (uint i = 0; i < pages; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        return _engine.ClientTable.State(new TmemClientId(number));
    }

    [Fact]
    public void Nobody_where_nobody_caches()
    {
        Assert.Null(_over.Client);
        Client(1, 100, kind: PoolKind.Persistent);
        Assert.Null(new OverShare(_engine.ClientTable).Client);
    }

    [Fact]
    public void Nobody_where_all_have_their_share()
    {
        Client(1, 300, weight: 3);
        Client(2, 100);
        Assert.Null(_over.Client);
    }

    [Fact]
    public void The_one_alone_is_never_over()
    {
        Client(1, 500);
        Assert.Null(_over.Client);
    }

    [Fact]
    public void The_one_most_over_by_bytes_and_weight()
    {
        Client(1, 300, weight: 6);
        var greedy = Client(2, 200);
        Client(3, 100);
        // Shares are 6, 1 and 1 of 8: client 2 is over by 125 pages, client 3 by 25.
        Assert.Same(greedy, _over.Client);
    }

    /// <summary>Persistent pages do not count: they cannot be evicted.</summary>
    [Fact]
    public void Persistent_pages_count_for_nothing()
    {
        Client(1, 1000, kind: PoolKind.Persistent);
        var over = Client(2, 200);
        Client(3, 100);
        Assert.Same(over, _over.Client);
    }

    [Fact]
    public void A_client_that_is_over_by_next_to_nothing_is_let_be()
    {
        Client(1, 1000);
        Client(2, 1010);
        Assert.Null(_over.Client);
    }

    [Fact]
    public void A_choice_serves_sixteen_evictions_or_until_the_client_has_nothing_left()
    {
        var first = Client(1, 200);
        Client(2, 100);
        Assert.Same(first, _over.Client);
        var second = Client(3, 500);
        for (var eviction = 1; eviction < 16; eviction++) Assert.Same(first, _over.Client);
        Assert.Same(second, _over.Client);

        var third = Client(4, 2000);
        Assert.Same(second, _over.Client);
        _over.RanDry();
        Assert.Same(third, _over.Client);
    }
}
