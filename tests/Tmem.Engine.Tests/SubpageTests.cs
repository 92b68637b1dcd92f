using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>Reads and writes of part of a page, and exchanges: the contract's row, refusals included.</summary>
public sealed class SubpageTests : IDisposable
{
    private const PoolFlags Persistent = PoolFlags.Persistent;
    private const PoolFlags Ephemeral = PoolFlags.None;
    private const PoolFlags SharedEphemeral = PoolFlags.Shared;

    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly ObjectId _object = new(1, 2, 3);
    private readonly ObjectId _other = new(7);
    private readonly byte[] _page = new byte[Pages.Size];

    public SubpageTests() => _client = _engine.Client(new TmemClientId(1));

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    [Theory]
    [InlineData(Persistent, TmemStatus.Ok)]
    [InlineData(Ephemeral, TmemStatus.Miss)]
    [InlineData(SharedEphemeral, TmemStatus.Ok)]
    public void A_read_copies_the_part_and_is_a_get_in_all_else(PoolFlags flags, TmemStatus afterwards)
    {
        var pool = Engines.Pool(_client, flags);
        var part = new byte[100];
        Assert.Equal(TmemStatus.Miss, _client.Read(pool, _object, 7, 10, part));
        Assert.Equal(new byte[100], part);
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Ok, _client.Read(pool, _object, 7, 10, part));
        Assert.Equal(Pages.Text(1)[10..110], part);
        Assert.Equal(afterwards, _client.Get(pool, _object, 7, _page));
        var figures = Engines.Figures(_client, pool);
        Assert.Equal(3, figures.Gets);
        Assert.Equal(afterwards == TmemStatus.Ok ? 2 : 1, figures.GetHits);
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    [InlineData(SharedEphemeral)]
    public void A_write_changes_the_part_of_a_page_that_is_there(PoolFlags flags)
    {
        var pool = Engines.Pool(_client, flags);
        Assert.Equal(TmemStatus.Miss, _client.Write(pool, _object, 7, 10, new byte[5]));
        Assert.Equal(0, Engines.Figures(_client, pool).Objects);
        foreach (var seed in Enumerable.Range(0, 10))
        {
            foreach (var (offset, length) in new[] { (0, 1), (4095, 1), (0, 4096), (1000, 2000), (8, 8) })
            {
                var expected = Pages.Any(seed);
                _client.Put(pool, _object, 7, expected);
                var part = Pages.Random(seed + 100)[..length];
                Assert.Equal(TmemStatus.Ok, _client.Write(pool, _object, 7, offset, part));
                part.CopyTo(expected, offset);
                Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 7, _page));
                Assert.Equal(expected, _page);
            }
        }
    }

    [Fact]
    public void What_lies_outside_a_page_is_refused()
    {
        foreach (var size in PoolShapes.PageSizes)
        {
            var pool = Engines.Pool(_client, Persistent.WithPageSize(size));
            _client.Put(pool, _object, 7, Pages.Text(1, size));
            (int Offset, int Length)[] wrong =
            [
                (0, 0), (5, 0), (size, 0), (size, 1), (size - 1, 2), (0, size + 1), (1, size), (-1, 1), (-1, 2),
                (int.MaxValue, 1), (int.MinValue, 1), (int.MaxValue, size), (int.MaxValue - size + 1, size),
            ];
            foreach (var (offset, length) in wrong)
            {
                Assert.Equal(TmemStatus.InvalidRange, _client.Read(pool, _object, 7, offset, new byte[length]));
                Assert.Equal(TmemStatus.InvalidRange, _client.Write(pool, _object, 7, offset, new byte[length]));
            }
            var page = new byte[size];
            _client.Get(pool, _object, 7, page);
            Assert.Equal(Pages.Text(1, size), page);
        }
    }

    [Fact]
    public void Every_misuse_has_its_own_answer()
    {
        var pool = Engines.Pool(_client);
        var packed = Engines.Pool(_client, Persistent | PoolFlags.Precompressed);
        var stranger = _engine.Client(new TmemClientId(2));
        _client.Put(pool, _object, 7, Pages.Text(1));
        _client.Put(packed, _object, 7, new byte[50]);
        Assert.Equal(TmemStatus.Precompressed, _client.Read(packed, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.Precompressed, _client.Write(packed, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.ForeignClient, stranger.Read(pool, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.ForeignClient, stranger.Write(pool, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.ForeignClient, stranger.Exchange(pool, _object, 7, pool, _object, 7));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Read(pool, ObjectId.Invalid, 7, 0, _page));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Write(pool, ObjectId.Invalid, 7, 0, _page));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Exchange(pool, _object, 7, pool, ObjectId.Invalid, 7));
        Assert.Equal(TmemStatus.InvalidObjectId, _client.Exchange(pool, ObjectId.Invalid, 7, pool, _object, 7));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Read(default, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Write(default, _object, 7, 0, _page));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Exchange(default, _object, 7, pool, _object, 7));
        Assert.Equal(TmemStatus.NoSuchPool, _client.Exchange(pool, _object, 7, default, _object, 7));
        _client.NewPool(new PoolOptions(Persistent, RefuseIncompressible: true), out var choosy);
        foreach (var other in new[]
                 {
                     packed, choosy, Engines.Pool(_client, Ephemeral), Engines.Pool(_client, SharedEphemeral),
                     Engines.Pool(_client, Persistent.WithPageSize(8192)),
                 })
        {
            Assert.Equal(TmemStatus.PoolMismatch, _client.Exchange(pool, _object, 7, other, _object, 7));
            Assert.Equal(TmemStatus.PoolMismatch, _client.Exchange(other, _object, 7, pool, _object, 7));
        }
    }

    [Theory]
    [InlineData(Persistent, TmemStatus.Ok)]
    [InlineData(Ephemeral, TmemStatus.Miss)]
    [InlineData(SharedEphemeral, TmemStatus.Miss)]
    public void A_write_that_is_refused_leaves_a_persistent_page_and_flushes_an_ephemeral_one(PoolFlags flags,
        TmemStatus afterwards)
    {
        Assert.Equal(TmemStatus.Ok, _client.NewPool(new PoolOptions(flags, RefuseIncompressible: true), out var pool));
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Incompressible, _client.Write(pool, _object, 7, 0, Pages.Random(1)));
        Assert.Equal(afterwards, _client.Get(pool, _object, 7, _page));
        if (afterwards == TmemStatus.Ok) Assert.Equal(Pages.Text(1), _page);
        Assert.Equal(1, Engines.Figures(_client, pool).PutsIncompressible);
    }

    [Fact]
    public void A_write_at_a_pools_limit_leaves_the_page()
    {
        var pool = Engines.Pool(_client, Persistent, 64 * 1024);
        uint count = 0;
        while (_client.Put(pool, _object, count, Pages.Text((int)count)) == TmemStatus.Ok) count++;
        Assert.Equal(TmemStatus.PoolLimit, _client.Write(pool, _object, 0, 0, Pages.Random(1)));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 0, _page));
        Assert.Equal(Pages.Text(0), _page);
        // A same-filled page gives its slot back, so a write may make room too.
        Assert.Equal(TmemStatus.Ok, _client.Write(pool, _object, 0, 0, new byte[4096]));
        Assert.Equal(2, Engines.Figures(_client, pool).PutsPoolLimit);
    }

    [Fact]
    public unsafe void A_damaged_page_is_neither_written_nor_exchanged()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, _object, 7, Pages.Text(1));
        client.Put(pool, _object, 8, Pages.Filled(5));
        var descriptor = Engines.Leaf(engine, pool, _object, 7);
        var header = engine.Slabs.At(PageDescriptor.Slot(*descriptor));
        header[40] ^= 1;
        Assert.Equal(TmemStatus.Corrupt, client.Write(pool, _object, 7, 0, new byte[10]));
        Assert.Equal(TmemStatus.Corrupt, client.Read(pool, _object, 7, 0, new byte[10]));
        header[40] ^= 1;
        // A descriptor that points to no slot, and a slot that names another leaf.
        var whole = *descriptor;
        *descriptor = 0x12345;
        Assert.Equal(TmemStatus.Corrupt, client.Exchange(pool, _object, 7, pool, _object, 8));
        Assert.Equal(TmemStatus.Corrupt, client.Exchange(pool, _object, 8, pool, _object, 7));
        *descriptor = whole;
        header[5] ^= 1;
        Assert.Equal(TmemStatus.Corrupt, client.Exchange(pool, _object, 7, pool, _object, 8));
        header[5] ^= 1;
        Assert.Equal(5, Engines.Figures(client, pool).CorruptPages);
        Assert.Equal(TmemStatus.Ok, client.Get(pool, _object, 7, _page));
        Assert.Equal(Pages.Text(1), _page);
        Engines.AssertSound(engine);
    }

    [Theory]
    [InlineData(Persistent)]
    [InlineData(Ephemeral)]
    [InlineData(SharedEphemeral)]
    [InlineData(Persistent | PoolFlags.Precompressed)]
    public void An_exchange_swaps_whatever_the_two_handles_are(PoolFlags flags)
    {
        var a = Engines.Pool(_client, flags);
        var b = Engines.Pool(_client, flags);
        // Leaves in objects and in nodes, one bucket and two, one pool and two.
        (PoolId Pool, ObjectId Object, uint Index)[] places =
            [(a, _object, 0), (a, _object, 9), (a, _other, 0), (b, _object, 0), (b, _other, 70_000)];
        foreach (var x in places)
        {
            foreach (var y in places)
            {
                foreach (var (one, two) in new[] { (Pages.Text(1), Pages.Random(2)), (Pages.Filled(3), Pages.Text(4)),
                    (Pages.Filled(5), Pages.Filled(6)) })
                {
                    _client.Put(x.Pool, x.Object, x.Index, one);
                    if (x != y) _client.Put(y.Pool, y.Object, y.Index, two);
                    Assert.Equal(TmemStatus.Ok, _client.Exchange(x.Pool, x.Object, x.Index, y.Pool, y.Object, y.Index));
                    Engines.AssertSound(_engine);
                    Assert.Equal(TmemStatus.Ok, _client.Get(x.Pool, x.Object, x.Index, _page, out _));
                    Assert.Equal(x != y ? two : one, _page);
                    if (x == y) continue;
                    Assert.Equal(TmemStatus.Ok, _client.Get(y.Pool, y.Object, y.Index, _page, out _));
                    Assert.Equal(one, _page);
                }
                _client.FlushPage(x.Pool, x.Object, x.Index);
                _client.FlushPage(y.Pool, y.Object, y.Index);
            }
        }
    }

    [Fact]
    public void An_exchange_with_nothing_is_a_miss_and_moves_nothing()
    {
        var pool = Engines.Pool(_client);
        _client.Put(pool, _object, 7, Pages.Text(1));
        Assert.Equal(TmemStatus.Miss, _client.Exchange(pool, _object, 7, pool, _object, 8));
        Assert.Equal(TmemStatus.Miss, _client.Exchange(pool, _other, 7, pool, _object, 7));
        Assert.Equal(TmemStatus.Miss, _client.Exchange(pool, _other, 7, pool, _other, 7));
        Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, 7, _page));
        Assert.Equal(Pages.Text(1), _page);
        Assert.Equal(1, Engines.Figures(_client, pool).Pages);
    }

    [Fact]
    public void An_exchange_keeps_to_both_pools_limits()
    {
        var small = Engines.Pool(_client, Persistent, 8 * 1024);
        var large = Engines.Pool(_client);
        _client.Put(small, _object, 0, Pages.Filled(1));
        _client.Put(small, _object, 1, Pages.Random(1));
        _client.Put(large, _object, 0, Pages.Random(2));
        Assert.Equal(TmemStatus.PoolLimit, _client.Exchange(small, _object, 0, large, _object, 0));
        Assert.Equal(TmemStatus.PoolLimit, _client.Exchange(large, _object, 0, small, _object, 0));
        Assert.Equal(TmemStatus.Ok, _client.Exchange(large, _object, 0, small, _object, 1));
        Assert.Equal(TmemStatus.Ok, _client.Get(small, _object, 1, _page));
        Assert.Equal(Pages.Random(2), _page);

        // An ephemeral pool makes room among its own pages, as for a put.
        var ephemeral = Engines.Pool(_client, SharedEphemeral, 8 * 1024);
        var source = Engines.Pool(_client, SharedEphemeral);
        _client.Put(ephemeral, _object, 0, Pages.Filled(1));
        _client.Put(ephemeral, _object, 1, Pages.Random(1));
        _client.Put(source, _object, 0, Pages.Random(2));
        Assert.Equal(TmemStatus.Ok, _client.Exchange(ephemeral, _object, 0, source, _object, 0));
        Assert.Equal(1, Engines.Figures(_client, ephemeral).Evictions);
    }

    [Fact]
    public void A_page_of_another_pools_codec_is_still_read()
    {
        var pools = Enum.GetValues<TmemCodec>().Select(codec =>
        {
            Assert.Equal(TmemStatus.Ok, _client.NewPool(new PoolOptions(Persistent, Codec: codec), out var pool));
            Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, 7, Pages.Text((int)codec)));
            return pool;
        }).ToList();
        for (var i = 1; i < pools.Count; i++)
            Assert.Equal(TmemStatus.Ok, _client.Exchange(pools[0], _object, 7, pools[i], _object, 7));
        for (var i = 0; i < pools.Count; i++)
        {
            Assert.Equal(TmemStatus.Ok, _client.Get(pools[i], _object, 7, _page));
            Assert.Equal(Pages.Text((i + pools.Count - 1) % pools.Count), _page);
        }
    }
}
