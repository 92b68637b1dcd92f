using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>
/// A process killed during an exchange: after each of its stores the region is copied, as a kill would leave it, and attached.
/// </summary>
public sealed class ExchangeAttachTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-exchange-{Environment.ProcessId}-{Guid.NewGuid():N}.region");
    private readonly List<string> _copies = [];

    public void Dispose()
    {
        File.Delete(_path);
        _copies.ForEach(File.Delete);
    }

    /// <param name="otherPool">Between two pools.</param>
    /// <param name="indexA">0: the leaf lies in the object; otherwise in a node.</param>
    /// <param name="indexB">The same.</param>
    /// <param name="seedA">The page's kind: see Pages.Any.</param>
    /// <param name="seedB">The same.</param>
    [Theory]
    [InlineData(false, 0, 0, 2, 3)]
    [InlineData(false, 0, 70, 2, 1)]
    [InlineData(true, 5, 0, 0, 2)]
    [InlineData(true, 6, 7, 3, 1)]
    [InlineData(true, 6, 7, 0, 5)]
    public void An_exchange_is_done_or_not_wherever_the_process_dies(bool otherPool, uint indexA, uint indexB,
        int seedA, int seedB)
    {
        var (objA, objB) = (new ObjectId(1), new ObjectId(2));
        PoolId a, b;
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            a = Engines.Pool(client);
            b = otherPool ? Engines.Pool(client) : a;
            // An earlier exchange, whose record must not be taken for this one's.
            client.Put(a, objA, indexA, Pages.Any(seedB));
            client.Put(b, objB, indexB, Pages.Any(seedA));
            client.Exchange(a, objA, indexA, b, objB, indexB);
            engine.Intent.AfterStore = () => _copies.Add(Copy(engine));
            Assert.Equal(TmemStatus.Ok, client.Exchange(a, objA, indexA, b, objB, indexB));
            engine.Intent.AfterStore = null;
            client.Exchange(a, objA, indexA, b, objB, indexB);
            Check(engine, done: false);
        }
        Assert.Equal(5, _copies.Count);
        for (var store = 0; store < _copies.Count; store++)
        {
            // Written but not valid: as if it had never begun. From the store that makes it valid, the exchange will be
            // completed.
            using (var engine = Open(_copies[store])) Check(engine, done: store >= 1);
            // The record is void now: another attach changes nothing.
            using (var engine = Open(_copies[store])) Check(engine, done: store >= 1);
        }

        void Check(TmemEngine engine, bool done)
        {
            Engines.AssertSound(engine);
            var client = engine.Client(new TmemClientId(1));
            var page = new byte[Pages.Size];
            Assert.Equal(TmemStatus.Ok, client.Get(a, objA, indexA, page));
            Assert.Equal(Pages.Any(done ? seedB : seedA), page);
            Assert.Equal(TmemStatus.Ok, client.Get(b, objB, indexB, page));
            Assert.Equal(Pages.Any(done ? seedA : seedB), page);
            Assert.Equal(2, engine.Statistics().Total.Pages);
        }
    }

    /// <summary>A record that cannot be an exchange's is refused and not carried out.</summary>
    [Theory]
    [InlineData(0, 2UL)]
    [InlineData(1, 0x1234567UL)]
    [InlineData(1, 0x100UL)]
    [InlineData(2, ulong.MaxValue - 7)]
    [InlineData(2, 0UL)]
    [InlineData(3, 0x123UL)]
    [InlineData(4, 0x123UL)]
    public unsafe void A_damaged_record_is_refused_by_name(int word, ulong value)
    {
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            var pool = Engines.Pool(client);
            client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
            client.Put(pool, new ObjectId(1), 1, Pages.Text(2));
            engine.Intent.AfterStore = () =>
            {
                if (((ExchangeRecord*)(engine.Memory.Start + RegionLayout.ExchangeOffset))->Valid == 1 && _copies.Count == 0)
                    _copies.Add(Copy(engine));
            };
            client.Exchange(pool, new ObjectId(1), 0, pool, new ObjectId(1), 1);
        }
        using (var file = new FileStream(_copies[0], FileMode.Open, FileAccess.Write))
        {
            file.Seek(RegionLayout.ExchangeOffset + word * 8, SeekOrigin.Begin);
            file.Write(BitConverter.GetBytes(value));
        }
        var error = Assert.Throws<RegionException>(() => Open(_copies[0]));
        Assert.Contains("exchange under way", error.Message, StringComparison.Ordinal);
        Assert.Contains(_copies[0], error.Message, StringComparison.Ordinal);
        // On request the region is served without it: neither page is touched.
        using var rest = Open(_copies[0], drop: true);
        Assert.Contains("exchange under way", Assert.Single(rest.Dropped), StringComparison.Ordinal);
        Assert.Equal(2, rest.Statistics().Total.Pages);
        Engines.AssertSound(rest);
    }

    private static TmemEngine Open(string path, bool drop = false) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 2 * Engines.Mebi, MaximumCapacityBytes = 2 * Engines.Mebi, RegionPath = path, DropDamaged = drop,
    });

    /// <summary>The present contents of the region's file, up to the highest span used.</summary>
    private unsafe string Copy(TmemEngine engine)
    {
        var path = $"{_path}.{_copies.Count}";
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        var used = RegionLayout.HeaderBytes(engine.Slabs.Spans.Count)
            + engine.Slabs.Spans.HighWater * (long)RegionLayout.SpanBytes;
        file.Write(new ReadOnlySpan<byte>(engine.Memory.Start, (int)used));
        file.SetLength(engine.Memory.Length);
        return path;
    }
}
