namespace Tmem.Engine.Tests;

/// <summary>A frozen client reads and flushes, and stores nothing.</summary>
public sealed class FreezeTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly ObjectId _object = new(1);
    private readonly byte[] _page = new byte[Pages.Size];

    public FreezeTests() => _client = _engine.Client(new TmemClientId(1));

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.None)]
    [InlineData(PoolFlags.Shared)]
    public void Puts_become_flushes_and_gets_go_on(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        for (uint i = 0; i < 4; i++) _client.Put(pool, _object, i, Pages.Text((int)i));
        Assert.Equal(TmemStatus.Ok, _client.Freeze());
        Assert.Equal(TmemStatus.Frozen, _client.Put(pool, _object, 0, Pages.Text(9)));
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.Frozen, _client.Put(pool, _object, 99, Pages.Text(9)));
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, 99, _page));
        Assert.Equal(TmemStatus.Frozen, _client.Replace(pool, _object, 1, Pages.Text(9)));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 1, _page));
        Assert.Equal(Pages.Text(1), _page);
        Assert.Equal(TmemStatus.Ok, _client.FlushPage(pool, _object, 2));
        Assert.Equal(TmemStatus.Ok, _client.FlushObject(pool, _object));
        Assert.Equal(3, Engines.Figures(_client, pool).PutsFrozen);

        Assert.Equal(TmemStatus.Ok, _client.Thaw());
        Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, 0, Pages.Text(9)));
    }

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.None)]
    public void Writes_and_exchanges_of_a_frozen_client_are_refused(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        for (uint i = 0; i < 3; i++) _client.Put(pool, _object, i, Pages.Text((int)i));
        _client.Freeze();
        Assert.Equal(TmemStatus.Frozen, _client.Exchange(pool, _object, 0, pool, _object, 1));
        Assert.Equal(TmemStatus.Frozen, _client.Write(pool, _object, 2, 100, new byte[50]));
        // Like any refused write: a persistent page stays, an ephemeral one goes.
        Assert.Equal(flags == PoolFlags.Persistent ? TmemStatus.Ok : TmemStatus.Miss, _client.Get(pool, _object, 2, _page));
        if (flags == PoolFlags.Persistent) Assert.Equal(Pages.Text(2), _page);
        for (uint i = 0; i < 2; i++)
        {
            Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, i, _page));
            Assert.Equal(Pages.Text((int)i), _page);
        }
    }

    [Fact]
    public void Only_that_client_is_frozen_in_a_shared_pool_too()
    {
        var other = _engine.Client(new TmemClientId(2));
        var options = new PoolOptions(PoolFlags.Shared, SharedId: new SharedId(5, 5));
        _engine.Authorise(_client.Id, options.SharedId);
        _engine.Authorise(other.Id, options.SharedId);
        _client.NewPool(options, out var pool);
        other.NewPool(options, out _);
        _client.Freeze();
        Assert.Equal(TmemStatus.Frozen, _client.Put(pool, _object, 0, Pages.Text(1)));
        Assert.Equal(TmemStatus.Ok, other.Put(pool, _object, 0, Pages.Text(1)));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 0, _page));
    }

    [Fact]
    public void Once_freeze_returns_no_put_that_ran_beside_it_is_stored()
    {
        var pool = Engines.Pool(_client);
        for (var round = 0; round < 200; round++)
        {
            // Replace takes nothing away, and each handle is new: the count of pages in the index shows any page stored.
            var stop = false;
            var refused = 0;
            var first = (uint)round * 1_000_000;
            var threads = Enumerable.Range(0, 3).Select(number => new Thread(() =>
            {
                for (var i = first; !Volatile.Read(ref stop); i++)
                {
                    if (_client.Replace(pool, new ObjectId((ulong)number), i, s_pages[i % 8]) == TmemStatus.Frozen)
                        Interlocked.Increment(ref refused);
                }
            })).ToList();
            threads.ForEach(thread => thread.Start());
            SpinWait.SpinUntil(() => Stored(pool) > 20);
            _client.Freeze();
            var before = Stored(pool);
            SpinWait.SpinUntil(() => Volatile.Read(ref refused) > 20);
            Volatile.Write(ref stop, true);
            threads.ForEach(thread => thread.Join());
            Assert.Equal(before, Stored(pool));
            _client.Thaw();
            for (ulong obj = 0; obj < 3; obj++) _client.FlushObject(pool, new ObjectId(obj));
        }
    }

    [Fact]
    public void Freeze_waits_for_whoever_is_in_a_bucket()
    {
        var pool = Engines.Pool(_client);
        ref var latch = ref _engine.PoolTable.Find(pool)!.BucketAt(200).Latch;
        Region.SpinLatch.Enter(ref latch, Region.LatchRank.Bucket);
        var freezing = new Thread(() => _client.Freeze());
        freezing.Start();
        SpinWait.SpinUntil(() => _client.Info().Frozen);
        // The freeze may not return while the latch is held, however long that is.
        var ended = freezing.Join(50);
        Region.SpinLatch.Exit(ref latch);
        freezing.Join();
        Assert.False(ended);
    }

    private static readonly byte[][] s_pages = Enumerable.Range(0, 8).Select(seed => Pages.Text(seed)).ToArray();

    private long Stored(PoolId pool)
    {
        long sum = 0;
        for (ulong obj = 0; obj < 3; obj++)
        {
            _client.CountPages(pool, new ObjectId(obj), out var pages);
            sum += pages;
        }
        return sum;
    }
}
