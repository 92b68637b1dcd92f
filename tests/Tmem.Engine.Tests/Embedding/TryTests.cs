namespace Tmem.Engine.Tests.Embedding;

/// <summary>Try: false for expected outcomes, an exception for a mistake.</summary>
public sealed class TryTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly PoolId _pool;
    private readonly byte[] _page = new byte[TmemClient.PageSize];

    public TryTests()
    {
        _client = _engine.Client(new TmemClientId(1));
        _pool = Engines.Pool(_client);
    }

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void A_page_comes_back_and_one_that_is_not_there_is_false()
    {
        Assert.False(_client.TryGet(_pool, new ObjectId(1), 0, _page, out var length));
        Assert.Equal(0, length);
        var page = Pages.Random(1);
        Assert.True(_client.TryPut(_pool, new ObjectId(1), 0, page, out var refusal));
        Assert.Equal(TmemStatus.Ok, refusal);
        Assert.True(_client.TryGet(_pool, new ObjectId(1), 0, _page, out length));
        Assert.Equal(page, _page);
        Assert.Equal(page.Length, length);
    }

    [Fact]
    public void A_precompressed_page_is_as_long_as_it_was_put()
    {
        var pool = Engines.Pool(_client, PoolFlags.Persistent | PoolFlags.Precompressed);
        Assert.True(_client.TryPut(pool, new ObjectId(1), 0, "packed"u8, out _));
        Assert.True(_client.TryGet(pool, new ObjectId(1), 0, _page, out var length));
        Assert.Equal("packed"u8, _page.AsSpan(0, length));
    }

    [Fact]
    public void A_refusal_is_false_and_says_why()
    {
        Assert.Equal(TmemStatus.Ok, _client.NewPool(new PoolOptions(PoolKind.Persistent) { LimitBytes = 4096 }, out var small));
        Assert.False(_client.TryPut(small, new ObjectId(1), 0, Pages.Random(1), out var refusal));
        Assert.Equal(TmemStatus.PoolLimit, refusal);
        _client.Freeze();
        Assert.False(_client.TryPut(_pool, new ObjectId(1), 0, _page, out refusal));
        Assert.Equal(TmemStatus.Frozen, refusal);
    }

    [Fact]
    public void A_mistake_is_an_exception_that_names_it()
    {
        Mistake("32 bytes are no page", () => _client.TryPut(_pool, new ObjectId(1), 0, new byte[32], out _));
        Mistake("32 bytes are no page", () => _client.TryGet(_pool, new ObjectId(1), 0, new byte[32], out _));
        Mistake("never made", () => _client.TryGet(new PoolId(77), new ObjectId(1), 0, _page, out _));
        Mistake("another client's", () => _engine.Client(new TmemClientId(2)).TryPut(_pool, new ObjectId(1), 0, _page, out _));
        Mistake("reserved", () => _client.TryPut(_pool, ObjectId.Invalid, 0, _page, out _));
        _engine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _client.TryGet(_pool, new ObjectId(1), 0, _page, out _));

        static void Mistake(string words, Func<bool> call) =>
            Assert.Contains(words, Assert.Throws<ArgumentException>(() => { call(); }).Message, StringComparison.Ordinal);
    }
}
