namespace Tmem.Engine.Tests.Embedding;

/// <summary>A run of pages does what its pages do one after the other.</summary>
public sealed class RunTests : IDisposable
{
    private static readonly ObjectId s_object = new(1);

    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly PoolId _pool;

    public RunTests()
    {
        _client = _engine.Client(new TmemClientId(1));
        _pool = Engines.Pool(_client);
    }

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    private static byte[] Run(int pages, int seed) =>
        [.. Enumerable.Range(0, pages).SelectMany(i => Pages.Random(seed + i))];

    [Fact]
    public void What_is_put_is_what_is_got_across_nodes()
    {
        var run = Run(200, 1);
        Assert.Equal(TmemStatus.Ok, _client.PutRange(_pool, s_object, 60, run, out var stored));
        Assert.Equal(200, stored);
        var got = new byte[run.Length];
        var outcomes = new TmemStatus[200];
        Assert.Equal(TmemStatus.Ok, _client.GetRange(_pool, s_object, 60, got, outcomes));
        Assert.Equal(run, got);
        Assert.All(outcomes, outcome => Assert.Equal(TmemStatus.Ok, outcome));
        Assert.Equal(Enumerable.Range(60, 200).Select(i => (uint)i), _client.EnumeratePages(_pool, s_object));
    }

    [Fact]
    public void Holes_are_zeros_and_named()
    {
        _client.PutRange(_pool, s_object, 0, Run(4, 1), out _);
        _client.FlushPage(_pool, s_object, 2);
        var got = new byte[5 * TmemClient.PageSize];
        Array.Fill(got, (byte)7);
        var outcomes = new TmemStatus[5];
        Assert.Equal(TmemStatus.Miss, _client.GetRange(_pool, s_object, 0, got, outcomes));
        Assert.Equal([TmemStatus.Ok, TmemStatus.Ok, TmemStatus.Miss, TmemStatus.Ok, TmemStatus.Miss], outcomes);
        Assert.Equal(Run(4, 1).AsSpan(0, 2 * TmemClient.PageSize), got.AsSpan(0, 2 * TmemClient.PageSize));
        Assert.False(got.AsSpan(2 * TmemClient.PageSize, TmemClient.PageSize).ContainsAnyExcept((byte)0));
        Assert.False(got.AsSpan(4 * TmemClient.PageSize).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void A_run_ends_at_the_first_refusal()
    {
        var options = new PoolOptions(PoolKind.Persistent) { LimitBytes = 64 << 10 };
        Assert.Equal(TmemStatus.Ok, _client.NewPool(options, out var small));
        Assert.Equal(TmemStatus.PoolLimit, _client.PutRange(small, s_object, 0, Run(32, 1), out var stored));
        Assert.InRange(stored, 8, 15);
        Assert.Equal(stored, _client.EnumeratePages(small, s_object).Count());
    }

    [Fact]
    public void A_run_of_no_whole_pages_or_beyond_the_last_index_is_refused_whole()
    {
        var outcomes = new TmemStatus[2];
        foreach (var length in (int[])[0, 1, 4095, 4097])
        {
            Assert.Equal(TmemStatus.InvalidArgument, _client.PutRange(_pool, s_object, 0, new byte[length], out _));
            Assert.Equal(TmemStatus.InvalidArgument, _client.GetRange(_pool, s_object, 0, new byte[length], outcomes));
        }
        Assert.Equal(TmemStatus.InvalidArgument, _client.GetRange(_pool, s_object, 0, new byte[3 * 4096], outcomes));
        Assert.Equal(TmemStatus.InvalidArgument,
            _client.PutRange(_pool, s_object, uint.MaxValue, new byte[8192], out var stored));
        Assert.Equal(0, stored);
        Assert.Equal(TmemStatus.Ok, _client.PutRange(_pool, s_object, uint.MaxValue, new byte[4096], out _));
        var packed = Engines.Pool(_client, PoolFlags.Persistent | PoolFlags.Precompressed);
        Assert.Equal(TmemStatus.Precompressed, _client.PutRange(packed, s_object, 0, new byte[4096], out _));
        Assert.Equal(TmemStatus.Precompressed, _client.GetRange(packed, s_object, 0, new byte[8192], outcomes));
    }

    [Fact]
    public void An_exclusive_pool_gives_its_pages_away()
    {
        var pool = Engines.Pool(_client, PoolFlags.None);
        _client.PutRange(pool, s_object, 0, Run(3, 1), out _);
        var outcomes = new TmemStatus[3];
        Assert.Equal(TmemStatus.Ok, _client.GetRange(pool, s_object, 0, new byte[3 * 4096], outcomes));
        Assert.Equal(TmemStatus.Miss, _client.GetRange(pool, s_object, 0, new byte[3 * 4096], outcomes));
    }
}
