using CsCheck;

namespace Tmem.Engine.Tests.Transfer;

/// <summary>A restore brings back what was saved, page for page.</summary>
public sealed class TransferTests
{
    private static readonly PoolFlags[] s_kinds =
        [PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared, PoolFlags.Persistent | PoolFlags.Shared];
    private readonly ObjectId _object = new(1, 2, 3);
    private readonly byte[] _page = new byte[Pages.Size];

    [Fact]
    public void Every_pool_of_a_client_comes_back_page_for_page() => Gen.Int.Sample(seed =>
    {
        var random = new Random(seed);
        using var source = Engines.Anonymous();
        var client = source.Client(new TmemClientId(1));
        PoolOptions[] options = [.. s_kinds.Select((kind, i) => new PoolOptions(kind, i * 100_000_000L, i % 2 == 1))];
        var model = options.Select(_ => new Dictionary<(ObjectId, uint), byte[]>()).ToArray();
        for (var i = 0; i < options.Length; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.NewPool(options[i], out var pool));
            for (var n = random.Next(300); n > 0; n--)
            {
                ulong Word() => random.Next(4) switch { 0 => 0, 1 => ulong.MaxValue, _ => (ulong)random.Next(5) };
                var id = new ObjectId(Word(), Word(), Word());
                var index = random.Next(3) switch { 0 => (uint)random.Next(), 1 => uint.MaxValue, _ => (uint)random.Next(80) };
                var page = Pages.Any(random.Next(500));
                if (client.Put(pool, id, index, page) == TmemStatus.Ok) model[i][(id, index)] = page;
                else model[i].Remove((id, index));
            }
            foreach (var key in model[i].Keys.Where(key => !key.Item1.IsValid).ToList()) model[i].Remove(key);
        }
        var before = source.Statistics().Pools;
        using var stream = new MemoryStream();
        var saved = client.Save(stream);
        Assert.True(saved.Status == TransferStatus.Ok, saved.Sentence);
        Assert.Equal(stream.Length, saved.Bytes);
        Assert.Equal(client.Pools(), saved.Pools);
        Assert.Equal(before, source.Statistics().Pools);

        using var target = Engines.Anonymous();
        var other = target.Client(new TmemClientId(9));
        stream.Position = 0;
        var restored = other.Restore(stream);
        Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
        Assert.Equal(saved.Pages, restored.Pages);
        Assert.Equal(saved.Bytes, restored.Bytes);
        Assert.Equal(other.Pools(), restored.Pools);
        Engines.AssertSound(target);
        for (var i = 0; i < options.Length; i++)
        {
            Assert.Equal(TmemStatus.Ok, other.PoolInfo(restored.Pools[i], out var info));
            Assert.Equal(options[i], info!.Options);
            var there = before[i].Statistics;
            Assert.Equal((model[i].Count, there.CompressedBytes, there.SlotBytes, there.SameFilledPages, there.RawPages),
                ((int)info.Statistics.Pages, info.Statistics.CompressedBytes, info.Statistics.SlotBytes,
                    info.Statistics.SameFilledPages, info.Statistics.RawPages));
            foreach (var ((id, index), page) in model[i])
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[i], id, index, _page));
                Assert.Equal(page, _page);
            }
        }
        Engines.AssertSound(source);
        Engines.AssertSound(target);
    }, iter: 25, threads: 1);

    [Fact]
    public void No_object_lies_between_an_id_and_the_next()
    {
        const ulong most = ulong.MaxValue;
        Assert.Equal(new ObjectId(6, 1, 2), new ObjectId(5, 1, 2).Next());
        Assert.Equal(new ObjectId(0, 2, 2), new ObjectId(most, 1, 2).Next());
        Assert.Equal(new ObjectId(0, 0, 3), new ObjectId(most, most, 2).Next());
        Assert.Equal(ObjectId.Invalid, new ObjectId(most - 1, most, most).Next());
    }

    [Fact]
    public void Saving_an_ephemeral_pool_consumes_nothing()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.None);
        for (uint i = 0; i < 50; i++) client.Put(pool, _object, i, Pages.Any((int)i));
        using var stream = new MemoryStream();
        Assert.Equal(50, client.SavePool(pool, stream).Pages);
        Assert.Equal(50, Engines.Figures(client, pool).Pages);
        Assert.Equal(0, Engines.Figures(client, pool).Gets);
    }

    [Fact]
    public void Every_page_size_and_codec_comes_back()
    {
        using var source = Engines.Still();
        using var target = Engines.Still();
        var (client, other) = (source.Client(new TmemClientId(1)), target.Client(new TmemClientId(1)));
        List<PoolOptions> shapes = [new(PoolFlags.Persistent | PoolFlags.Precompressed)];
        foreach (var size in PoolShapes.PageSizes)
        {
            foreach (var codec in Enum.GetValues<TmemCodec>())
                shapes.Add(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec));
        }
        byte[] PageOf(PoolOptions shape, int seed) =>
            (shape.Flags & PoolFlags.Precompressed) != 0 ? Pages.Random(seed, 100 + seed * 300)
            : seed == 0 ? Pages.Filled(77, shape.Flags.PageSize()) : seed == 1 ? Pages.Random(seed, shape.Flags.PageSize())
            : Pages.Text(seed, shape.Flags.PageSize());
        foreach (var shape in shapes)
        {
            Assert.Equal(TmemStatus.Ok, client.NewPool(shape, out var pool));
            for (var seed = 0; seed < 6; seed++)
                Assert.Equal(TmemStatus.Ok, client.Put(pool, _object, (uint)seed, PageOf(shape, seed)));
        }
        var stream = new MemoryStream();
        Assert.Equal(TransferStatus.Ok, client.Save(stream).Status);
        stream.Position = 0;
        var restored = other.Restore(stream);
        Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
        for (var i = 0; i < shapes.Count; i++)
        {
            Assert.Equal(TmemStatus.Ok, other.PoolInfo(restored.Pools[i], out var info));
            Assert.Equal(shapes[i], info!.Options);
            var room = new byte[info.PageSize];
            for (var seed = 0; seed < 6; seed++)
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[i], _object, (uint)seed, room, out var length));
                Assert.Equal(PageOf(shapes[i], seed), room[..length]);
            }
        }
        Engines.AssertSound(target);
    }

    [Fact]
    public void What_follows_the_trailer_is_not_read()
    {
        var saved = Saves.Small();
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        using var both = new MemoryStream([.. saved, .. saved, 1, 2, 3]);
        Assert.Equal(TransferStatus.Ok, client.Restore(both).Status);
        Assert.Equal(TransferStatus.Ok, client.Restore(both).Status);
        Assert.Equal(2 * saved.Length, both.Position);
        Assert.Equal(TransferStatus.Truncated, client.Restore(both).Status);
        Assert.Equal(2, client.Pools().Count);
    }

    [Fact]
    public void Nobody_sees_a_pool_before_it_is_whole()
    {
        var saved = Saves.Small(shared: true);
        using var engine = Engines.Anonymous();
        engine.Authorise(new TmemClientId(1), Saves.Shared.SharedId);
        var client = engine.Client(new TmemClientId(1));
        var looks = 0;
        using var stream = new WatchedStream(saved, () =>
        {
            looks++;
            Assert.Empty(client.Pools());
            Assert.Empty(engine.Statistics().Pools);
            Assert.Equal(TmemStatus.NoSuchPool, client.Get(new PoolId(1 << 10), _object, 0, _page));
            if (looks > 4) Assert.Equal(TmemStatus.SharedIdInUse, client.NewPool(Saves.Shared, out _));
            Assert.True(engine.Verify().Clean);
        });
        var result = client.Restore(stream);
        Assert.True(result.Status == TransferStatus.Ok, result.Sentence);
        Assert.True(looks > 6);
        Assert.Equal(result.Pools, client.Pools());
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_save_under_load_holds_true_pages_and_all_that_nobody_touched()
    {
        using var engine = Engines.Anonymous(128 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        const uint still = 2000;
        for (uint i = 0; i < still; i++) client.Put(pool, new ObjectId(i % 7), i * 3, Pages.Any((int)i));
        var stop = false;
        var threads = Enumerable.Range(0, 2).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            var page = new byte[Pages.Size];
            while (!Volatile.Read(ref stop))
            {
                // Objects of their own, and handles between the untouched ones; objects come and go.
                var obj = (ulong)random.Next(12);
                var index = (uint)random.Next(2000) * 3 + 1;
                Make(page, obj, index, random.Next());
                if (random.Next(3) == 0) client.FlushPage(pool, new ObjectId(obj), index);
                else client.Put(pool, new ObjectId(obj), index, page);
                if (random.Next(500) == 0) client.FlushObject(pool, new ObjectId(7 + obj % 5));
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        var streams = new List<MemoryStream>();
        for (var round = 0; round < 8; round++)
        {
            streams.Add(new MemoryStream());
            var result = client.SavePool(pool, streams[^1]);
            Assert.True(result.Status == TransferStatus.Ok, result.Sentence);
        }
        Volatile.Write(ref stop, true);
        threads.ForEach(thread => thread.Join());
        Engines.AssertSound(engine);

        foreach (var stream in streams)
        {
            using var target = Engines.Anonymous(128 * Engines.Mebi);
            var other = target.Client(new TmemClientId(1));
            stream.Position = 0;
            var restored = other.Restore(stream);
            Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
            for (uint i = 0; i < still; i++)
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[0], new ObjectId(i % 7), i * 3, _page));
                Assert.Equal(Pages.Any((int)i), _page);
            }
            var moving = 0;
            for (ulong obj = 0; obj < 12; obj++)
            {
                for (uint i = 0; i < 2000; i++)
                {
                    if (other.Get(restored.Pools[0], new ObjectId(obj), i * 3 + 1, _page) != TmemStatus.Ok) continue;
                    var expected = new byte[Pages.Size];
                    Make(expected, obj, i * 3 + 1, BitConverter.ToInt32(_page, 12));
                    Assert.Equal(expected, _page);
                    moving++;
                }
            }
            Assert.Equal(restored.Pages, still + moving);
            Engines.AssertSound(target);
        }
    }

    private static void Make(byte[] page, ulong obj, uint index, int seed)
    {
        Pages.Text(seed % 50).CopyTo(page, 0);
        BitConverter.TryWriteBytes(page, obj);
        BitConverter.TryWriteBytes(page.AsSpan(8), index);
        BitConverter.TryWriteBytes(page.AsSpan(12), seed);
    }
}
