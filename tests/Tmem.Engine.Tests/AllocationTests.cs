namespace Tmem.Engine.Tests;

/// <summary>The data path allocates no managed memory.</summary>
public sealed class AllocationTests
{
    private const int Operations = 1_000_000;

    [Fact]
    public void AMillionPutsAndAMillionGetsAllocateNothing()
    {
        using var engine = Engines.Anonymous(256 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
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
    public void NoCodecPageSizeOrOperationAllocates(int size, TmemCodec codec)
    {
        using var engine = Engines.Anonymous(256 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec), out var pool));
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
                if (client.Write(pool, obj, index, i % (size / 2), pages[(i + 5) & 15].AsSpan(0, size / 2)) != TmemStatus.Ok) failed++;
                if (client.Read(pool, obj, index, i % (size / 2), target.AsSpan(0, size / 2)) != TmemStatus.Ok) failed++;
                if (client.Exchange(pool, obj, index, pool, obj, (uint)i * 7 % Math.Min((uint)i + 1, 100)) != TmemStatus.Ok) failed++;
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
    public void EvictingMissingFlushingAndRefusingAllocateNothing()
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
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
