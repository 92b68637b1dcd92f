using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>Limit and codec of a pool are changed while it is in use, and are what they were set to after an attach.</summary>
public sealed class PoolSettingsTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-settings-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_persistent_pool_above_its_new_limit_keeps_all_and_refuses_until_it_fits()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 100; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        Assert.Equal(TmemStatus.Ok, client.Limit(pool, 50 * Pages.Size));
        Assert.Equal(100, Engines.Figures(client, pool).Pages);
        Assert.Equal(TmemStatus.PoolLimit, client.Put(pool, new ObjectId(1), 100, Pages.Random(1)));
        // One that makes it smaller is taken.
        Assert.Equal(TmemStatus.Ok, client.Replace(pool, new ObjectId(1), 0, new byte[Pages.Size]));
        client.FlushRange(pool, new ObjectId(1), 0, 80, out _);
        Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), 100, Pages.Random(1)));
        Assert.Equal(TmemStatus.Ok, client.Limit(pool, 0));
        for (uint i = 200; i < 300; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void An_ephemeral_pool_evicts_down_to_its_new_limit()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var (pool, other) = (Engines.Pool(client, PoolFlags.Shared), Engines.Pool(client, PoolFlags.Shared));
        for (uint i = 0; i < 100; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(2), i, new byte[Pages.Size]));
            Assert.Equal(TmemStatus.Ok, client.Put(other, new ObjectId(1), i, Pages.Random((int)i)));
        }
        Assert.Equal(TmemStatus.Ok, client.Limit(pool, 50 * Pages.Size));
        var figures = Engines.Figures(client, pool);
        Assert.InRange(figures.SlotBytes + figures.IndexBytes, 40 * Pages.Size, 50 * Pages.Size);
        Assert.Equal(100, Engines.Figures(client, other).Pages);
        Assert.Equal(TmemStatus.Ok, client.Limit(pool, 16));
        Assert.Equal(0, Engines.Figures(client, pool).Pages);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_limit_below_the_reserve_is_refused()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Assert.Equal(TmemStatus.Ok, client.Reserve(pool, Engines.Mebi));
        Assert.Equal(TmemStatus.InvalidArgument, client.Limit(pool, Engines.Mebi - 1));
        Assert.Equal(TmemStatus.Ok, client.Limit(pool, Engines.Mebi));
        Assert.Equal(TmemStatus.InvalidArgument, client.Reserve(pool, Engines.Mebi + 1));
        Assert.Equal(TmemStatus.InvalidArgument, client.Limit(pool, -1));
        Assert.Equal(TmemStatus.NoSuchPool, client.Limit(new PoolId(77), 0));
        Assert.Equal(TmemStatus.ForeignClient, engine.Client(new TmemClientId(2)).Limit(pool, 0));
    }

    [Fact]
    public void New_pages_are_stored_with_the_new_codec_and_old_ones_stay_readable()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
        var slots = Engines.Figures(client, pool).CompressedBytes;
        Assert.Equal(TmemStatus.Ok, client.Recode(pool, TmemCodec.Zstd));
        client.Put(pool, new ObjectId(1), 1, Pages.Text(1));
        Assert.InRange(Engines.Figures(client, pool).CompressedBytes - slots, 1, slots - 1);
        var page = new byte[Pages.Size];
        for (uint i = 0; i < 2; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(1), i, page));
            Assert.Equal(Pages.Text(1), page);
        }
        Assert.Equal(TmemStatus.UnsupportedCodec, client.Recode(pool, (TmemCodec)3));
        Assert.Equal(TmemStatus.InvalidFlags, client.Recode(Engines.Pool(client, PoolFlags.Precompressed), TmemCodec.Zstd));
        Engines.AssertSound(engine);
    }

    /// <summary>A kill comes before a setting's one store, or after it: an attach finds the old or the new setting.</summary>
    [Fact]
    public void Settings_outlive_the_process()
    {
        PoolId pool;
        using (var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 16 * Engines.Mebi, RegionPath = _path }))
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            Assert.Equal(TmemStatus.Ok, client.Limit(pool, Engines.Mebi));
            Assert.Equal(TmemStatus.Ok, client.Recode(pool, TmemCodec.Zstd));
        }
        using (var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 16 * Engines.Mebi, RegionPath = _path }))
        {
            Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(1)).PoolInfo(pool, out var info));
            Assert.Equal(Engines.Mebi, info!.Options.LimitBytes);
            Assert.Equal(TmemCodec.Zstd, info.Options.Codec);
            Engines.AssertSound(engine);
        }
        // Each is a word of its own, aligned, so that no kill leaves half of one.
        Assert.Equal(0, (int)Marshal.OffsetOf<PoolEntry>(nameof(PoolEntry.LimitBytes)) % sizeof(long));
        Assert.Equal(0, (int)Marshal.OffsetOf<PoolEntry>(nameof(PoolEntry.Policy)) % sizeof(uint));
    }

    [Fact]
    public void A_pool_is_within_its_limit_while_others_store()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.Shared);
        using var over = new ManualResetEventSlim();
        var writers = Enumerable.Range(1, 3).Select(number => new Thread(() =>
        {
            for (uint i = 0; !over.IsSet; i = (i + 1) % 500)
                client.Put(pool, new ObjectId((ulong)number), i, Pages.Random((int)i));
        })).ToList();
        writers.ForEach(thread => thread.Start());
        for (var round = 0; round < 50; round++)
        {
            var limit = (20 + round % 7 * 30) * Pages.Size;
            Assert.Equal(TmemStatus.Ok, client.Limit(pool, limit));
            var figures = Engines.Figures(client, pool);
            // What a writer has taken and not yet counted, or counted and not yet given back.
            Assert.InRange(figures.SlotBytes + figures.IndexBytes, 0, limit + 3 * 4 * Pages.Size);
        }
        over.Set();
        writers.ForEach(thread => thread.Join());
        Engines.AssertSound(engine);
    }
}
