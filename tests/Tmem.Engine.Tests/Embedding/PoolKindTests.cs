namespace Tmem.Engine.Tests.Embedding;

/// <summary>What the kind of a pool promises about its pages.</summary>
public sealed class PoolKindTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Anonymous(4 * Engines.Mebi);
    private readonly TmemClient _client;

    public PoolKindTests() => _client = _engine.Client(new TmemClientId(1));

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    private PoolId Pool(PoolOptions options)
    {
        Assert.Equal(TmemStatus.Ok, _client.NewPool(options, out var pool));
        return pool;
    }

    [Theory]
    [InlineData(PoolKind.Persistent, true, false)]
    [InlineData(PoolKind.Cache, true, true)]
    [InlineData(PoolKind.Exclusive, false, true)]
    public void A_get_leaves_the_page_or_takes_it_and_a_full_store_refuses_or_evicts(PoolKind kind, bool stays, bool vanishes)
    {
        var options = new PoolOptions(kind);
        Assert.Equal(kind, options.Kind);
        var pool = Pool(options);
        var page = Pages.Random(1);
        Assert.True(_client.TryPut(pool, new ObjectId(1), 0, page, out _));
        Assert.True(_client.TryGet(pool, new ObjectId(1), 0, new byte[TmemClient.PageSize], out _));
        Assert.Equal(stays, _client.TryGet(pool, new ObjectId(1), 0, new byte[TmemClient.PageSize], out _));

        var refusal = TmemStatus.Ok;
        for (uint i = 1; i < 4096 && refusal == TmemStatus.Ok; i++)
            _client.TryPut(pool, new ObjectId(1), i, Pages.Random((int)i), out refusal);
        Assert.Equal(vanishes ? TmemStatus.Ok : TmemStatus.NoRoom, refusal);
        Assert.Equal(vanishes, _engine.Statistics().Total.Evictions > 0);
    }

    [Fact]
    public void Persistent_is_the_kind_of_whoever_chooses_none() => Assert.Equal(PoolKind.Persistent, default);

    [Fact]
    public void Page_size_and_packing_are_bits_of_the_flags()
    {
        var options = new PoolOptions(PoolKind.Cache) { PageSize = 16384, Precompressed = true, LimitBytes = 1 << 20 };
        Assert.Equal((PoolFlags.Shared | PoolFlags.Precompressed).WithPageSize(16384), options.Flags);
        Assert.Equal((16384, true, PoolKind.Cache), (options.PageSize, options.Precompressed, options.Kind));
        Assert.Equal(4096, (options with { PageSize = 4096 }).PageSize);
        Assert.False((options with { Precompressed = false }).Precompressed);
        Assert.Equal(TmemStatus.Ok, _client.PoolInfo(Pool(options), out var info));
        Assert.Equal(options, info!.Options);
        Assert.Throws<ArgumentOutOfRangeException>(() => new PoolOptions(PoolKind.Cache) { PageSize = 5000 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new PoolOptions((PoolKind)3));
    }
}
