namespace Tmem.Engine.Tests.Embedding;

/// <summary>The contents of a pool, listed while they change.</summary>
public sealed class EnumerationTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly PoolId _pool;
    private readonly byte[] _page = Pages.Random(1);

    public EnumerationTests()
    {
        _client = _engine.Client(new TmemClientId(1));
        _pool = Engines.Pool(_client);
    }

    public void Dispose() => _engine.Dispose();

    private void Put(ObjectId obj, uint index) => Assert.Equal(TmemStatus.Ok, _client.Put(_pool, obj, index, _page));

    [Fact]
    public void Each_object_is_given_once()
    {
        ObjectId[] objects =
        [
            default, new(ulong.MaxValue, 0, 0), new(ulong.MaxValue - 1, ulong.MaxValue, ulong.MaxValue),
            .. Enumerable.Range(1, 1000).Select(i => ObjectId.FromKey($"{i}")),
        ];
        foreach (var obj in objects) Put(obj, 7);
        Assert.Equal(objects.Order(), _client.EnumerateObjects(_pool).Order());
    }

    [Fact]
    public void The_pages_of_an_object_come_in_order()
    {
        uint[] indexes = [0, 1, 63, 64, 4096, 1 << 20, uint.MaxValue - 1, uint.MaxValue];
        foreach (var index in indexes.Reverse()) Put(new ObjectId(5), index);
        Assert.Equal(indexes, _client.EnumeratePages(_pool, new ObjectId(5)));
        Assert.Empty(_client.EnumeratePages(_pool, new ObjectId(6)));
    }

    [Fact]
    public async Task What_is_there_all_the_time_is_given_while_others_come_and_go()
    {
        var stay = Enumerable.Range(0, 500).Select(i => ObjectId.FromKey($"stays {i}")).ToHashSet();
        foreach (var obj in stay) Put(obj, 0);
        var stop = false;
        var other = Task.Run(() =>
        {
            for (var i = 0; !Volatile.Read(ref stop); i++)
            {
                var obj = ObjectId.FromKey($"goes {i % 300}");
                _client.Put(_pool, obj, 0, _page);
                _client.FlushObject(_pool, obj);
            }
        }, TestContext.Current.CancellationToken);
        for (var round = 0; round < 100; round++)
        {
            var seen = _client.EnumerateObjects(_pool).ToList();
            Assert.Equal(seen.Count, seen.Distinct().Count());
            Assert.Superset(stay, seen.ToHashSet());
        }
        Volatile.Write(ref stop, true);
        await other;
    }

    [Fact]
    public void A_pool_that_is_destroyed_ends_it_and_a_mistake_is_told_at_once()
    {
        for (uint i = 0; i < 100; i++) Put(new ObjectId(i), 0);
        var given = 0;
        foreach (var _ in _client.EnumerateObjects(_pool))
            if (++given == 10) _client.DestroyPool(_pool);
        Assert.Equal(10, given);
        Assert.Throws<ArgumentException>(() => _client.EnumerateObjects(_pool));
        Assert.Throws<ArgumentException>(() => _client.EnumeratePages(_pool, new ObjectId(1)));
        Assert.Throws<ArgumentException>(() => _client.EnumeratePages(Engines.Pool(_client), ObjectId.Invalid));
    }
}
