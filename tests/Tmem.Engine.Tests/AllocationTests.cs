using Tmem.Engine.Format;
using Tmem.Engine.Tests.Embedding;
namespace Tmem.Engine.Tests;

/// <summary>The data path allocates no managed memory.</summary>
public sealed class AllocationTests
{
    private const int Operations = 1_000_000;

    [Fact]
    public void A_million_puts_and_a_million_gets_allocate_nothing()
    {
        using var engine = Engines.Anonymous(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var pages = Enumerable.Range(0, 64).Select(seed => Pages.Any(seed)).ToArray();
        var target = new byte[Pages.Size];
        Mixed(client, pool, pages, target, 50_000);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var failures = Mixed(client, pool, pages, target, Operations);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, failures);
        Assert.Equal(0, allocated);
    }

    public static TheoryData<int, TmemCodec> Shapes => PoolShapeTests.Shapes;

    [Theory]
    [MemberData(nameof(Shapes))]
    public void No_codec_page_size_or_operation_allocates(int size, TmemCodec codec)
    {
        using var engine = Engines.Anonymous(256 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal(TmemStatus.Ok,
            client.NewPool(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec), out var pool));
        var packed = Engines.Pool(client, (PoolFlags.Persistent | PoolFlags.Precompressed).WithPageSize(size));
        var pages = Enumerable.Range(0, 16).Select(seed => Pages.Any(seed, size)).ToArray();
        var target = new byte[size];
        engine.PrepareThread(size, codec);
        Run(300);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var failures = Run(20_000 * 4096 / size);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, failures);
        Assert.Equal(0, allocated);
        Engines.AssertSound(engine);

        int Run(int rounds)
        {
            var failed = 0;
            var obj = new ObjectId(1);
            for (var i = 0; i < rounds; i++)
            {
                var index = (uint)i % 100;
                var page = pages[i & 15];
                if (client.Put(pool, obj, index, page) != TmemStatus.Ok) failed++;
                if (client.Write(pool, obj, index, i % (size / 2), pages[(i + 5) & 15].AsSpan(0, size / 2)) != TmemStatus.Ok)
                    failed++;
                if (client.Read(pool, obj, index, i % (size / 2), target.AsSpan(0, size / 2)) != TmemStatus.Ok) failed++;
                if (client.Exchange(pool, obj, index, pool, obj, (uint)i * 7 % Math.Min((uint)i + 1, 100)) != TmemStatus.Ok)
                    failed++;
                if (client.Get(pool, obj, index, target) != TmemStatus.Ok) failed++;
                if (client.Put(packed, obj, index, page.AsSpan(0, 1 + i % size)) != TmemStatus.Ok) failed++;
                if (client.Get(packed, obj, index, target, out _) != TmemStatus.Ok) failed++;
                if (client.Exchange(pool, obj, index, packed, obj, index) != TmemStatus.PoolMismatch) failed++;
                if (client.Write(pool, obj, 1000, 0, page) != TmemStatus.Miss) failed++;
                if (client.Read(pool, obj, 1000, size, page) != TmemStatus.InvalidRange) failed++;
            }
            return failed;
        }
    }

    [Fact]
    public void Evicting_missing_flushing_and_refusing_allocate_nothing()
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var persistent = Engines.Pool(client);
        var ephemeral = Engines.Pool(client, PoolFlags.None);
        var page = Pages.Random(1);
        var target = new byte[Pages.Size];
        Churn(20_000);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Churn(100_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        var total = engine.Statistics().Total;
        Assert.True(total is { Evictions: > 0, GetMisses: > 0, PageFlushesFound: > 0, PutsNoRoom: > 0 }, total.ToString());
        Engines.AssertSound(engine);

        void Churn(int rounds)
        {
            for (var i = 0; i < rounds; i++)
            {
                client.Put(ephemeral, new ObjectId((ulong)i & 7), (uint)i % 1000, page);
                client.Get(ephemeral, new ObjectId((ulong)i & 7), (uint)i * 7 % 1000, target);
                if (i % 4 == 0) client.Put(persistent, new ObjectId(1), (uint)i % 2000, page);
                if (i % 3000 == 0) client.FlushRange(persistent, new ObjectId(1), 100, 1900, out _);
                client.FlushPage(persistent, new ObjectId(1), (uint)i % 50);
            }
        }
    }

    /// <summary>
    /// Each operation on each kind of pool with each of its outcomes, separately: a byte anywhere is a byte too many.
    /// </summary>
    [Fact]
    public unsafe void Every_operation_and_outcome_allocates_nothing()
    {
        using var engine = Engines.Still(8 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var stranger = engine.Client(new TmemClientId(2));
        var persistent = Engines.Pool(client);
        var consuming = Engines.Pool(client, PoolFlags.None);
        var shared = Engines.Pool(client, PoolFlags.Shared);
        var limited = Engines.Pool(client, PoolFlags.Persistent, 20_000);
        var limitedCache = Engines.Pool(client, PoolFlags.Shared, 40_000);
        Assert.Equal(TmemStatus.Ok,
            client.NewPool(new PoolOptions(PoolFlags.Persistent, RefuseIncompressible: true), out var picky));
        var gone = Engines.Pool(client);
        client.DestroyPool(gone);
        byte[] text = Pages.Text(1), raw = Pages.Random(1), zero = Pages.Filled(0), target = new byte[Pages.Size];
        var run = Enumerable.Range(0, 80).SelectMany(_ => text).ToArray();
        var outcomes = new TmemStatus[80];
        client.Put(persistent, new ObjectId(900), 9, raw);
        Engines.AssertSound(engine);
        for (uint span = 0; span < engine.Slabs.Spans.HighWater; span++)
        {
            // The one page stored so far: it is corrupt from here on.
            if (engine.Slabs.Spans.Table[span].Kind == SpanKind.PersistentPages)
                engine.Slabs.At(engine.Slabs.Spans.PlaceOf(span))[99] ^= 1;
        }
        for (uint i = 0; i < 30; i++) client.Put(limited, new ObjectId(1), i, raw);

        (string Name, TmemStatus Expected, Func<uint, TmemStatus> Call)[] cases =
        [
            ("put", TmemStatus.Ok, i => client.Put(persistent, new ObjectId(1), i % 500, i % 3 == 0 ? raw : text)),
            ("put same-filled", TmemStatus.Ok, i => client.Put(persistent, new ObjectId(i % 50), i % 4000, zero)),
            ("put far apart", TmemStatus.Ok, i => client.Put(shared, new ObjectId(i), i * 1_000_003, text)),
            ("put, evicting", TmemStatus.Ok, i => client.Put(shared, new ObjectId(1), i, raw)),
            ("put, evicting its own", TmemStatus.Ok, i => client.Put(limitedCache, new ObjectId(1), i, raw)),
            ("put, at the limit", TmemStatus.PoolLimit, i => client.Put(limited, new ObjectId(2), i, raw)),
            ("put, incompressible", TmemStatus.Incompressible, i => client.Put(picky, new ObjectId(1), i, raw)),
            ("replace", TmemStatus.Ok, i => client.Replace(persistent, new ObjectId(1), i % 500, text)),
            ("replace, at the limit", TmemStatus.PoolLimit, i => client.Replace(limited, new ObjectId(2), i, raw)),
            ("get", TmemStatus.Ok, i => client.Get(persistent, new ObjectId(1), i % 500, target)),
            ("get, corrupt", TmemStatus.Corrupt, i => client.Get(persistent, new ObjectId(900), 9, target)),
            ("get, miss", TmemStatus.Miss, i => client.Get(persistent, new ObjectId(77), i, target)),
            ("put run", TmemStatus.Ok, i => client.PutRange(persistent, new ObjectId(1), i % 400, run, out _)),
            ("get run", TmemStatus.Ok, i => client.GetRange(persistent, new ObjectId(1), i % 400, run, outcomes)),
            ("get run, misses", TmemStatus.Miss, i => client.GetRange(persistent, new ObjectId(77), i, run, outcomes)),
            ("put, get and flush run", TmemStatus.Ok, i =>
            {
                client.PutRange(persistent, new ObjectId(400), i * 50, run, out _);
                client.GetRange(persistent, new ObjectId(400), i * 50, run, outcomes);
                return client.FlushRange(persistent, new ObjectId(400), i * 50, i * 50 + 100, out _);
            }),
            ("put and get run, consuming", TmemStatus.Ok, i =>
            {
                client.PutRange(consuming, new ObjectId(i % 20), i % 300, run, out _);
                return client.GetRange(consuming, new ObjectId(i % 20), i % 300, run, outcomes);
            }),
            ("put and get, consuming", TmemStatus.Ok, i =>
            {
                client.Put(consuming, new ObjectId(i % 20), i % 300, text);
                return client.Get(consuming, new ObjectId(i % 20), i % 300, target);
            }),
            ("put and get, shared", TmemStatus.Ok, i =>
            {
                client.Put(shared, new ObjectId(1), i % 300, text);
                return client.Get(shared, new ObjectId(1), i % 300, target);
            }),
            ("put and flush", TmemStatus.Ok, i =>
            {
                client.Put(persistent, new ObjectId(i % 20 + 100), i * 7919, text);
                return client.FlushPage(persistent, new ObjectId(i % 20 + 100), i * 7919);
            }),
            ("flush, miss", TmemStatus.Miss, i => client.FlushPage(persistent, new ObjectId(77), i)),
            ("put and flush object", TmemStatus.Ok, i =>
            {
                for (uint page = 0; page < 5; page++) client.Put(persistent, new ObjectId(200), page * 70, text);
                return client.FlushObject(persistent, new ObjectId(200));
            }),
            ("flush range, miss", TmemStatus.Miss, i => client.FlushRange(persistent, new ObjectId(1), 1000, 2000, out _)),
            ("next page", TmemStatus.Ok, i => client.NextPage(persistent, new ObjectId(1), i % 400, out uint _)),
            ("count pages", TmemStatus.Ok, i => client.CountPages(persistent, new ObjectId(1), out long _)),
            ("no such pool", TmemStatus.NoSuchPool, i => client.Put(gone, new ObjectId(1), i, text)),
            ("foreign client", TmemStatus.ForeignClient, i => stranger.Get(persistent, new ObjectId(1), i, target)),
            ("invalid object", TmemStatus.InvalidObjectId, i => client.FlushPage(persistent, ObjectId.Invalid, i)),
            ("invalid buffer", TmemStatus.InvalidArgument, i => client.Put(persistent, new ObjectId(1), i, target.AsSpan(1))),
            ("record", TmemStatus.Ok, i =>
            {
                var status = engine.Records.Allocate(1, 300, out var record);
                engine.Records.Commit(record);
                engine.Records.Free(record);
                return status;
            }),
            ("compaction", TmemStatus.Ok, i =>
            {
                for (uint page = 0; page < 50; page++) client.Put(persistent, new ObjectId(300), page, raw);
                for (uint page = 0; page < 50; page += 2) client.FlushPage(persistent, new ObjectId(300), page);
                engine.Compact(20);
                return engine.Room().Used > 0 ? TmemStatus.Ok : TmemStatus.NoRoom;
            }),
        ];
        foreach (var (name, expected, call) in cases)
        {
            var rounds = name == "compaction" ? 200u : 3000u;
            for (uint i = 0; i < rounds; i++) call(i);
            var others = 0;
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = rounds; i < 2 * rounds; i++)
            {
                if (call(i) != expected) others++;
            }
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated == 0 && others == 0,
                $"{name}: {allocated} bytes in {rounds} calls, {others} of them not {expected}");
        }
    }

    /// <summary>The parts that <c>scripts/bench micro</c> measures, each once: fails if one of them allocates.</summary>
    [Fact]
    public void No_part_that_is_benchmarked_allocates()
    {
        // In the same configuration as this: the folder is named for it.
        var configuration = Path.GetFileName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)));
        var program = Path.Combine(Repository.Root, "tests", "Tmem.MicroBenchmarks", "bin", configuration!, "net10.0",
            "Tmem.MicroBenchmarks.dll");
        Assert.SkipUnless(File.Exists(program), $"the micro benchmarks are not built: dotnet build Tmem.sln -c {configuration}");
        Assert.Contains("executed benchmarks: ", Repository.Run(Repository.Root, "dotnet", program, "--gate"),
            StringComparison.Ordinal);
    }

    private static int Mixed(TmemClient client, PoolId pool, byte[][] pages, byte[] target, int count)
    {
        var failures = 0;
        for (var i = 0; i < count; i++)
        {
            var obj = new ObjectId((ulong)i & 3);
            var index = (uint)i % 4096;
            if (client.Put(pool, obj, index, pages[i & 63]) != TmemStatus.Ok) failures++;
            if (client.Get(pool, obj, index, target) != TmemStatus.Ok) failures++;
        }
        return failures;
    }
}
