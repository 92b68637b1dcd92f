namespace Tmem.Engine.Tests;

/// <summary>The contract table of docs/contract.md, line by line.</summary>
public sealed class ContractTests : IDisposable
{
    private const PoolFlags Persistent = PoolFlags.Persistent;
    private const PoolFlags Ephemeral = PoolFlags.None;
    private const PoolFlags SharedEphemeral = PoolFlags.Shared;

    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly ObjectId _object = new(1, 2, 3);
    private readonly byte[] _page = new byte[Pages.Size];

    public ContractTests() => _client = _engine.Client(new TmemClientId(1));

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    [InlineData(SharedEphemeral)]
    public void Put_then_get_returns_the_page(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        for (var seed = 0; seed < 50; seed++)
        {
            var page = Pages.Any(seed);
            Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, (uint)seed * 1000, page));
            Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, (uint)seed * 1000, _page));
            Assert.Equal(page, _page);
        }
    }

    [Theory]
    [InlineData(Persistent, TmemStatus.Ok)]
    [InlineData(Ephemeral, TmemStatus.Miss)]
    [InlineData(SharedEphemeral, TmemStatus.Ok)]
    public void Only_a_private_ephemeral_get_takes_the_page_away(PoolFlags flags, TmemStatus secondGet)
    {
        var pool = Engines.Pool(_client, flags);
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 7, _page));
        Assert.Equal(secondGet, _client.Get(pool, _object, 7, _page));
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    [InlineData(SharedEphemeral)]
    public void A_miss_stays_a_miss_until_the_next_put(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        var before = (byte[])_page.Clone();
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, 7, _page));
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, 7, _page));
        Assert.Equal(before, _page);
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 7, _page));
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    [InlineData(SharedEphemeral)]
    public void Put_over_a_handle_replaces(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, 7, Pages.Random(2)));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 7, _page));
        Assert.Equal(Pages.Random(2), _page);
        Assert.Equal(1, Engines.Figures(_client, pool).PutsReplaced);
    }

    [Fact]
    public void A_put_that_fails_flushes_the_old_page_too()
    {
        var pool = FullPool(out var stored);
        Assert.Equal(TmemStatus.NoRoom, Fill(pool, stored));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.NoRoom, RefusedRewrite(_client.Put, pool));
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, 0, _page));
    }

    [Fact]
    public void A_replace_that_fails_keeps_the_old_page()
    {
        var pool = FullPool(out var stored);
        Assert.Equal(TmemStatus.NoRoom, Fill(pool, stored));
        Assert.Equal(TmemStatus.NoRoom, RefusedRewrite(_client.Replace, pool));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 0, _page));
        Assert.Equal(Pages.Text(0), _page);
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    public void Flush_says_whether_anything_was_there(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        Assert.Equal(TmemStatus.Miss, _client.FlushPage(pool, _object, 7));
        Assert.Equal(TmemStatus.Miss, _client.FlushObject(pool, _object));
        _client.Put(pool, _object, 7, Pages.Text(1));
        _client.Put(pool, _object, 9_000_000, Pages.Text(2));
        _client.Put(pool, _object, uint.MaxValue, Pages.Filled(0));
        Assert.Equal(TmemStatus.Ok, _client.FlushPage(pool, _object, 7));
        Assert.Equal(TmemStatus.Miss, _client.FlushPage(pool, _object, 7));
        Assert.Equal(TmemStatus.Ok, _client.FlushObject(pool, _object));
        Assert.Equal(TmemStatus.Miss, _client.Get(pool, _object, uint.MaxValue, _page));
        Assert.Equal(TmemStatus.Miss, _client.FlushObject(pool, _object));
    }

    [Fact]
    public void Flush_range_takes_exactly_the_range()
    {
        var pool = Engines.Pool(_client);
        for (uint i = 0; i < 1000; i++) _client.Put(pool, _object, i * 3, Pages.Filled(i));
        Assert.Equal(TmemStatus.Ok, _client.FlushRange(pool, _object, 300, 2000, out var flushed));
        Assert.Equal(567, flushed);
        for (uint i = 0; i < 1000; i++)
            Assert.Equal(i * 3 is >= 300 and <= 2000 ? TmemStatus.Miss : TmemStatus.Ok, _client.Get(pool, _object, i * 3, _page));
        Assert.Equal(TmemStatus.InvalidArgument, _client.FlushRange(pool, _object, 2, 1, out _));
    }

    [Fact]
    public void A_destroyed_pool_is_no_pool_for_ever()
    {
        var pool = Engines.Pool(_client);
        for (uint i = 0; i < 5000; i++) _client.Put(pool, new ObjectId(i % 37), i, Pages.Text((int)i % 20));
        Assert.Equal(TmemStatus.Ok, _client.DestroyPool(pool));
        Assert.Equal(TmemStatus.NoSuchPool, _client.DestroyPool(pool));
        for (var i = 0; i < 2000; i++)
        {
            var next = Engines.Pool(_client);
            Assert.NotEqual(pool, next);
            Assert.Equal(TmemStatus.NoSuchPool, _client.Get(pool, _object, 0, _page));
            _client.DestroyPool(next);
        }
        Assert.Equal(TmemStatus.NoSuchPool, _client.Put(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.NoSuchPool, _client.FlushObject(pool, _object));
        Assert.Equal(0, _engine.Statistics().Total.Pages);
        Assert.Equal(5000, _engine.Statistics().Total.PutsStored);
    }

    [Fact]
    public void Every_misuse_has_its_own_answer_and_changes_nothing()
    {
        var pool = Engines.Pool(_client);
        _client.Put(pool, _object, 7, Pages.Text(1));
        var before = _engine.Statistics().Total.Pages;
        var stranger = _engine.Client(new TmemClientId(2));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Put(pool, ObjectId.Invalid, 0, _page));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Get(pool, ObjectId.Invalid, 0, _page));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.FlushObject(pool, ObjectId.Invalid));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Put(new PoolId(12345), _object, 0, _page));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Put(default, _object, 0, _page));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Put(new PoolId(uint.MaxValue), _object, 0, _page));
        Assert.Equal(TmemStatus.ForeignClient, stranger.Get(pool, _object, 7, _page));
        Assert.Equal(TmemStatus.ForeignClient, stranger.DestroyPool(pool));
        Assert.Equal(TmemStatus.InvalidArgument, _client.Put(pool, _object, 0, new byte[4095]));
        Assert.Equal(TmemStatus.InvalidArgument, _client.Get(pool, _object, 7, new byte[4097]));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions((PoolFlags)0x100), out _));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions((PoolFlags)0x0080_0000), out _));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions((PoolFlags)8), out _));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions(Persistent, -1), out _));
        Assert.Equal(TmemStatus.UnsupportedPageSize, _client.NewPool(new PoolOptions((PoolFlags)0x50), out _));
        Assert.Equal(TmemStatus.UnsupportedPageSize, _client.NewPool(new PoolOptions((PoolFlags)0xF0), out _));
        Assert.Equal(TmemStatus.UnsupportedCodec, _client.NewPool(new PoolOptions(Persistent, Codec: (TmemCodec)3), out _));
        Assert.Equal(before, _engine.Statistics().Total.Pages);
        Assert.Equal([pool], _client.Pools());
    }

    [Fact]
    public void The_pool_table_has_a_limit()
    {
        var pools = new List<PoolId>();
        TmemStatus status;
        while ((status = _client.NewPool(new PoolOptions(Persistent), out var pool)) == TmemStatus.Ok) pools.Add(pool);
        Assert.Equal(TmemStatus.TooManyPools, status);
        Assert.Equal(832, pools.Count);
        _client.DestroyPool(pools[3]);
        Engines.Pool(_client);
    }

    [Fact]
    public void A_persistent_pool_is_refused_at_its_limit_and_an_ephemeral_one_evicts_its_own()
    {
        const long limit = 256 * 1024;
        foreach (var flags in new[] { Persistent, Ephemeral })
        {
            var pool = Engines.Pool(_client, flags, limit);
            var bystander = Engines.Pool(_client, Ephemeral);
            _client.Put(bystander, _object, 0, Pages.Text(0));
            var refused = 0;
            for (uint i = 0; i < 1000; i++)
            {
                var status = _client.Put(pool, _object, i, Pages.Text((int)i));
                if (status == TmemStatus.PoolLimit) refused++;
                else Assert.Equal(TmemStatus.Ok, status);
            }
            var figures = Engines.Figures(_client, pool);
            Assert.InRange(figures.SlotBytes + figures.IndexBytes, limit / 2, limit);
            Assert.Equal(refused, figures.PutsPoolLimit);
            if (flags == Persistent) Assert.True(refused > 500);
            else Assert.True(refused == 0 && figures.Evictions > 500);
            Assert.Equal(TmemStatus.Ok, _client.Get(bystander, _object, 0, _page));
        }
    }

    [Fact]
    public void A_pool_may_refuse_what_does_not_shrink()
    {
        _client.NewPool(new PoolOptions(Persistent, RefuseIncompressible: true), out var pool);
        Assert.Equal(TmemStatus.Incompressible, _client.Put(pool, _object, 0, Pages.Random(1)));
        Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, 1, Pages.Text(1)));
        Assert.Equal(1, Engines.Figures(_client, pool).PutsIncompressible);
    }

    [Fact]
    public void Next_page_finds_what_is_there()
    {
        var pool = Engines.Pool(_client);
        uint[] indexes = [0, 63, 64, 4095, 4096, 262_144, 16_777_216, 1_073_741_824, uint.MaxValue];
        foreach (var index in indexes) _client.Put(pool, _object, index, Pages.Filled(index));
        uint from = 0;
        foreach (var index in indexes)
        {
            Assert.Equal(TmemStatus.Ok, _client.NextPage(pool, _object, from, out var found));
            Assert.Equal(index, found);
            from = index + 1;
        }
        Assert.Equal(TmemStatus.Ok, _client.CountPages(pool, _object, out var pages));
        Assert.Equal(indexes.Length, pages);
        _client.FlushPage(pool, _object, uint.MaxValue);
        Assert.Equal(TmemStatus.Miss, _client.NextPage(pool, _object, 1_073_741_825, out _));
    }

    [Fact]
    public void Same_filled_pages_take_no_slot()
    {
        var pool = Engines.Pool(_client);
        ulong[] words = [0, ulong.MaxValue, 1, 0x0101_0101_0101_0101, 0xDEAD_BEEF_DEAD_BEEF, 0xFFFF_FFFF];
        for (uint i = 0; i < words.Length; i++)
        {
            Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, i, Pages.Filled(words[i])));
            _client.Get(pool, _object, i, _page);
            Assert.Equal(Pages.Filled(words[i]), _page);
        }
        Assert.Equal(words.Length, Engines.Figures(_client, pool).SameFilledPages);
        Assert.Equal(0, Engines.Figures(_client, pool).SlotBytes);

        // A word of 64 bits without a pattern does not fit the descriptor and is stored like any page.
        var odd = Pages.Filled(0x3FF0_0000_0000_0000);
        _client.Put(pool, _object, 99, odd);
        _client.Get(pool, _object, 99, _page);
        Assert.Equal(odd, _page);
        Assert.Equal(words.Length, Engines.Figures(_client, pool).SameFilledPages);
    }

    private delegate TmemStatus Store(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page);

    /// <summary>
    /// A page that does not shrink, put over one that did: a full store refuses it, whatever slot its old page would free.
    /// </summary>
    private TmemStatus RefusedRewrite(Store store, PoolId pool) => store(pool, _object, 0, Pages.Random(12345));

    private PoolId FullPool(out int next)
    {
        var pool = Engines.Pool(_client);
        for (next = 0; next < 64; next++) _client.Put(pool, _object, (uint)next, Pages.Text(next));
        return pool;
    }

    /// <summary>Raw pages until the store refuses one.</summary>
    private TmemStatus Fill(PoolId pool, int next)
    {
        while (true)
        {
            var status = _client.Put(pool, new ObjectId(99), (uint)next, Pages.Random(next));
            if (status != TmemStatus.Ok) return status;
            next++;
        }
    }
}
