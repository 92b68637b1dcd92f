using Tmem.Engine.Format;

namespace Tmem.Engine.Tests.Recompress;

/// <summary>What becomes smaller, what does not, and what becomes LZ4 again.</summary>
public sealed class RecompressionTests
{
    [Theory]
    [InlineData(PoolFlags.Persistent, 4096, TmemCodec.Page)]
    [InlineData(PoolFlags.Persistent, 4096, TmemCodec.Zstd)]
    [InlineData(PoolFlags.Persistent, 16384, TmemCodec.Page)]
    [InlineData(PoolFlags.Shared, 4096, TmemCodec.Page)]
    [InlineData(PoolFlags.None, 4096, TmemCodec.Lz4)]
    public void Cold_pages_take_less_memory_and_stay_what_they_are(PoolFlags flags, int size, TmemCodec codec)
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(flags.WithPageSize(size), Codec: codec), out var pool));
        Cold.Fill(client, pool, 0, 600, size);
        var before = engine.Statistics();
        Cold.Settle(engine);
        engine.Compact();
        Engines.AssertSound(engine);
        var after = engine.Statistics();
        Assert.InRange(after.Total.DictionaryPages, 590, 600);
        Assert.Equal(after.Total.DictionaryPages, after.Total.PagesRecompressed);
        Assert.Equal(before.Total.SlotBytes - after.Total.SlotBytes, after.Total.RecompressionBytes);
        Assert.True(after.Total.SlotBytes < before.Total.SlotBytes * 0.9,
            $"{before.Total.SlotBytes} became {after.Total.SlotBytes}");
        Cold.AssertHeld(client, pool, 0, 600, size);
        Engines.AssertSound(engine);
    }

    /// <summary>The first pass only sees; a page that is used between two passes stays.</summary>
    [Fact]
    public void A_page_in_use_is_left_alone()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 400);
        Cold.Pass(engine);
        Assert.Equal(0, engine.Statistics().Total.DictionaryPages);
        Cold.AssertHeld(client, pool, 0, 100);
        Cold.Pass(engine);
        Assert.InRange(engine.Statistics().Total.DictionaryPages, 290, 300);
        Cold.AssertHeld(client, pool, 0, 100);
        Cold.Pass(engine);
        Assert.InRange(engine.Statistics().Total.DictionaryPages, 290, 300);
        Cold.Pass(engine);
        Assert.InRange(engine.Statistics().Total.DictionaryPages, 390, 400);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_page_read_again_and_again_becomes_lz4_again()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 400);
        Cold.Settle(engine);
        var cold = engine.Statistics().Total.DictionaryPages;
        Cold.AssertHeld(client, pool, 0, 50);
        Cold.Pass(engine);
        // Once: served from where it is.
        Assert.Equal(cold, engine.Statistics().Total.DictionaryPages);
        for (var i = 0; i < 3; i++) Cold.AssertHeld(client, pool, 0, 50);
        Cold.Pass(engine);
        var warm = engine.Statistics().Total;
        Assert.InRange(warm.PagesWarmed, 40, 50);
        Assert.Equal(cold - warm.PagesWarmed, warm.DictionaryPages);
        Cold.AssertHeld(client, pool, 0, 400);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_page_that_does_not_shrink_costs_one_try()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 200);
        for (uint i = 0; i < 100; i++) client.Put(pool, new ObjectId(2), i, Pages.Random((int)i));
        Cold.Settle(engine);
        Assert.Equal(100, engine.Statistics().Total.RawPages);
        for (uint i = 0; i < 100; i++) Assert.Equal(PageAge.Tried, AgeOf(engine, pool, new ObjectId(2), i));
        var changed = engine.Recompressor!.Changed;
        Cold.Settle(engine);
        Assert.Equal(changed, engine.Recompressor.Changed);
        // Overwritten, it is worth a try again.
        client.Put(pool, new ObjectId(2), 7, Cold.Words(1));
        Assert.Equal(PageAge.New, AgeOf(engine, pool, new ObjectId(2), 7));
        Cold.Settle(engine);
        Assert.Equal(PageFormat.Dictionary, FormatOf(engine, pool, new ObjectId(2), 7));
        Engines.AssertSound(engine);
    }

    /// <summary>A store of persistent pages that refuses the next page makes room for it, without a byte to start with.</summary>
    [Fact]
    public void A_full_store_goes_on()
    {
        using var engine = Cold.Engine(16 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var count = 0;
        while (client.Put(pool, new ObjectId(1), (uint)count, Cold.Words(count)) == TmemStatus.Ok) count++;
        Assert.Equal(TmemStatus.NoRoom, client.Replace(pool, new ObjectId(1), (uint)count, Cold.Words(count)));
        Cold.Settle(engine);
        Assert.InRange(engine.Statistics().Total.DictionaryPages, count * 9 / 10, count);
        Assert.Equal(TmemStatus.Ok, client.Replace(pool, new ObjectId(1), (uint)count, Cold.Words(count)));
        Cold.AssertHeld(client, pool, 0, count + 1);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Now_means_pages_that_no_pass_has_seen()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var (pool, other) = (Engines.Pool(client), Engines.Pool(client));
        Cold.Fill(client, pool, 0, 300);
        Cold.Fill(client, other, 0, 300);
        var brought = engine.Recompress(pool, TestContext.Current.CancellationToken);
        Assert.Equal(TmemStatus.Ok, brought.Status);
        Assert.InRange(Engines.Figures(client, pool).DictionaryPages, 290, 300);
        Assert.Equal(Engines.Figures(client, pool).DictionaryPages, brought.Pages);
        Assert.Equal(Engines.Figures(client, pool).RecompressionBytes, brought.Bytes);
        Assert.True(brought.ProcessorTime > TimeSpan.Zero && brought.Bytes > 0);
        var figures = engine.Statistics();
        Assert.Equal(brought.Pages, Assert.Single(figures.Recompression.Dictionaries).Pages);
        Assert.True(figures.DictionarySpanBytes > 0);
        Assert.Equal(0, Engines.Figures(client, other).DictionaryPages);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_save_needs_no_dictionary()
    {
        using var stream = new MemoryStream();
        using (var engine = Cold.Engine())
        {
            var client = engine.Client(new TmemClientId(1));
            var pool = Engines.Pool(client);
            Cold.Fill(client, pool, 0, 300);
            Cold.Settle(engine);
            Assert.InRange(engine.Statistics().Total.DictionaryPages, 290, 300);
            Assert.Equal(TransferStatus.Ok, client.SavePool(pool, stream).Status);
        }
        stream.Position = 0;
        using var plain = Engines.Anonymous();
        var owner = plain.Client(new TmemClientId(1));
        var result = owner.Restore(stream);
        Assert.Equal(TransferStatus.Ok, result.Status);
        Cold.AssertHeld(owner, result.Pools[0], 0, 300);
        Assert.Equal(0, plain.Statistics().Total.DictionaryPages);
        Engines.AssertSound(plain);
    }

    private static unsafe PageAge AgeOf(TmemEngine engine, PoolId pool, in ObjectId id, uint index) =>
        PageDescriptor.Age(*Engines.Leaf(engine, pool, id, index));

    private static unsafe int FormatOf(TmemEngine engine, PoolId pool, in ObjectId id, uint index) =>
        PageDescriptor.Format(*Engines.Leaf(engine, pool, id, index));
}
