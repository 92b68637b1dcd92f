using Tmem.Engine.Pam;

namespace Tmem.Engine.Tests;

/// <summary>Pools of every page size and codec, and pools whose pages come compressed.</summary>
public sealed class PoolShapeTests : IDisposable
{
    private readonly TmemEngine _engine = Engines.Anonymous();
    private readonly TmemClient _client;
    private readonly ObjectId _object = new(1, 2, 3);

    public PoolShapeTests() => _client = _engine.Client(new TmemClientId(1));

    public void Dispose()
    {
        Engines.AssertSound(_engine);
        _engine.Dispose();
    }

    public static TheoryData<int, TmemCodec> Shapes
    {
        get
        {
            var shapes = new TheoryData<int, TmemCodec>();
            foreach (var size in PoolShapes.PageSizes)
                foreach (var codec in Enum.GetValues<TmemCodec>()) shapes.Add(size, codec);
            return shapes;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_page_comes_back(int size, TmemCodec codec)
    {
        var pool = New(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec));
        var page = new byte[size];
        for (var seed = 0; seed < 100; seed++)
        {
            Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, (uint)seed * 100, Pages.Any(seed, size)));
            Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, (uint)seed * 100, page, out var length));
            Assert.Equal(size, length);
            Assert.Equal(Pages.Any(seed, size), page);
        }
        var figures = Engines.Figures(_client, pool);
        Assert.Equal(100L * size, figures.OriginalBytes);
        Assert.Equal(100L * size, _engine.Statistics().Total.OriginalBytes);
        Assert.Equal((20L, 20L), (figures.SameFilledPages, figures.RawPages));
        Assert.True(figures.CompressedBytes < 65L * size,
            $"{figures.CompressedBytes} bytes for 60 pages that shrink and 20 that do not");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_page_of_another_size_is_refused(int size, TmemCodec codec)
    {
        var pool = New(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec));
        foreach (var wrong in new[] { 0, 1, size / 2, size - 1, size + 1, size * 2 })
        {
            Assert.Equal(TmemStatus.InvalidArgument, _client.Put(pool, _object, 0, new byte[wrong]));
            Assert.Equal(TmemStatus.InvalidArgument, _client.Replace(pool, _object, 0, new byte[wrong]));
            Assert.Equal(TmemStatus.InvalidArgument, _client.Get(pool, _object, 0, new byte[wrong]));
            Assert.Equal(TmemStatus.InvalidArgument, _client.Get(pool, _object, 0, new byte[wrong], out _));
        }
    }

    [Fact]
    public void Each_pool_has_its_own_codec()
    {
        var sizes = Enum.GetValues<TmemCodec>().Select(codec =>
        {
            var pool = New(new PoolOptions(PoolFlags.Persistent, Codec: codec));
            for (uint i = 0; i < 50; i++) _client.Put(pool, _object, i, Codec.SamplePages.Make("text", Pages.Size, (int)i));
            return Engines.Figures(_client, pool).CompressedBytes;
        }).ToList();
        // The two LZ4 encoders differ: each pool used its own.
        Assert.True(sizes[(int)TmemCodec.Zstd] * 4 / 3 < Math.Min(sizes[0], sizes[1]) && sizes[0] != sizes[1],
            string.Join(", ", sizes));
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(65536)]
    public void Precompressed_pages_come_back_at_their_length(int size)
    {
        var pool = New(new PoolOptions((PoolFlags.Persistent | PoolFlags.Precompressed).WithPageSize(size)));
        var page = new byte[size];
        int[] lengths = [1, 2, 7, 8, 9, 100, size / 2, size - 1, size];
        for (var i = 0; i < lengths.Length; i++)
        {
            foreach (var stored in new[] { Pages.Random(i, lengths[i]), new byte[lengths[i]] })
            {
                Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, (uint)i, stored));
                page.AsSpan().Fill(0xA5);
                Assert.Equal(TmemStatus.Ok, _client.Get(pool, _object, (uint)i, page, out var length));
                Assert.Equal(lengths[i], length);
                Assert.Equal(stored, page[..length]);
                Assert.True(page.AsSpan(length).IndexOfAnyExcept((byte)0xA5) < 0, "what lies beyond the length was touched");
            }
        }
        var figures = Engines.Figures(_client, pool);
        Assert.Equal(lengths.Sum(), figures.CompressedBytes);
        Assert.Equal((0L, 0L), (figures.SameFilledPages, figures.RawPages));
    }

    [Fact]
    public void Precompressed_pools_have_their_own_refusals()
    {
        var flags = PoolFlags.Persistent | PoolFlags.Precompressed;
        var pool = New(new PoolOptions(flags));
        Assert.Equal(TmemStatus.InvalidArgument, _client.Put(pool, _object, 0, []));
        Assert.Equal(TmemStatus.InvalidArgument, _client.Put(pool, _object, 0, new byte[Pages.Size + 1]));
        Assert.Equal(TmemStatus.Ok, _client.Put(pool, _object, 0, new byte[10]));
        Assert.Equal(TmemStatus.Precompressed, _client.Get(pool, _object, 0, new byte[Pages.Size]));
        Assert.Equal(TmemStatus.InvalidArgument, _client.Get(pool, _object, 0, new byte[10], out _));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions(flags, RefuseIncompressible: true), out _));
        Assert.Equal(TmemStatus.InvalidFlags, _client.NewPool(new PoolOptions(flags, Codec: TmemCodec.Zstd), out _));
    }

    [Fact]
    public void Flags_say_the_page_size()
    {
        for (var n = 0; n < 16; n++)
        {
            var flags = (PoolFlags.Shared | PoolFlags.Precompressed).WithPageSize(4096 << n);
            Assert.Equal((PoolFlags)(6 | n << 4), flags);
            Assert.Equal(4096 << n, flags.PageSize());
            Assert.Equal(PoolFlags.Shared | PoolFlags.Precompressed, flags.WithPageSize(4096));
        }
        foreach (var bytes in new[] { 0, -4096, 1, 4095, 4097, 2048, 12288, int.MinValue, 1 << 28 })
            Assert.Throws<ArgumentOutOfRangeException>(() => PoolFlags.None.WithPageSize(bytes));
    }

    [Fact]
    public void A_thread_is_prepared_for_what_there_is()
    {
        _engine.PrepareThread();
        _engine.PrepareThread(PageSizes.Largest, TmemCodec.Zstd);
        Assert.Throws<ArgumentOutOfRangeException>(() => _engine.PrepareThread(5000));
        Assert.Throws<ArgumentOutOfRangeException>(() => _engine.PrepareThread(2 * PageSizes.Largest));
        Assert.Throws<ArgumentOutOfRangeException>(() => _engine.PrepareThread(4096, (TmemCodec)9));
    }

    private PoolId New(in PoolOptions options)
    {
        Assert.Equal(TmemStatus.Ok, _client.NewPool(options, out var pool));
        return pool;
    }
}
