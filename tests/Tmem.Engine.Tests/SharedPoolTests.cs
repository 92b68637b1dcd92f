using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>Pools found by a 128-bit id, joined by authorised clients, alive until the last member leaves.</summary>
public sealed class SharedPoolTests : IDisposable
{
    private const PoolFlags SharedPersistent = PoolFlags.Shared | PoolFlags.Persistent;

    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-shared-{Environment.ProcessId}-{Guid.NewGuid():N}.region");
    private readonly SharedId _id = new(0x1111, 0x2222);
    private readonly ObjectId _object = new(1, 2, 3);
    private readonly byte[] _page = new byte[Pages.Size];

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(PoolFlags.Shared)]
    [InlineData(SharedPersistent)]
    public void The_second_to_ask_joins(PoolFlags flags)
    {
        using var engine = Engines.Anonymous();
        var (one, two) = Authorised(engine);
        Assert.Equal(TmemStatus.Ok, one.NewPool(Options(flags), out var pool));
        Assert.Equal(TmemStatus.ForeignClient, two.Get(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.Ok,
            two.NewPool(Options(flags) with { LimitBytes = 5, RefuseIncompressible = true }, out var joined));
        Assert.Equal(pool, joined);
        Assert.Equal(TmemStatus.Ok, two.NewPool(Options(flags), out joined));
        Assert.Equal(pool, joined);
        Assert.Equal([pool], one.Pools());
        Assert.Equal([pool], two.Pools());

        Assert.Equal(TmemStatus.Ok, one.Put(pool, _object, 7, Pages.Text(1)));
        for (var again = 0; again < 2; again++)
        {
            Assert.Equal(TmemStatus.Ok, two.Get(pool, _object, 7, _page));
            Assert.Equal(Pages.Text(1), _page);
        }
        Assert.Equal(TmemStatus.Ok, two.Put(pool, _object, 7, Pages.Random(2)));
        Assert.Equal(TmemStatus.Ok, one.Get(pool, _object, 7, _page));
        Assert.Equal(Pages.Random(2), _page);
        Assert.Equal(TmemStatus.Ok, two.FlushPage(pool, _object, 7));
        Assert.Equal(TmemStatus.Miss, one.Get(pool, _object, 7, _page));
        Assert.Single(engine.Statistics().Pools);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Nobody_shares_unauthorised()
    {
        using var engine = Engines.Anonymous();
        var one = engine.Client(new TmemClientId(1));
        var two = engine.Client(new TmemClientId(2));
        Assert.Equal(TmemStatus.NotAuthorised, one.NewPool(Options(PoolFlags.Shared), out _));
        engine.Authorise(one.Id, _id);
        Assert.Equal(TmemStatus.Ok, one.NewPool(Options(PoolFlags.Shared), out var pool));
        Assert.Equal(TmemStatus.NotAuthorised, two.NewPool(Options(PoolFlags.Shared), out _));
        engine.Authorise(two.Id, new SharedId(_id.Low, _id.High + 1));
        Assert.Equal(TmemStatus.NotAuthorised, two.NewPool(Options(PoolFlags.Shared), out _));
        engine.Authorise(two.Id, _id);
        Assert.Equal(TmemStatus.Ok, engine.Revoke(two.Id, _id));
        Assert.Equal(TmemStatus.Miss, engine.Revoke(two.Id, _id));
        Assert.Equal(TmemStatus.NotAuthorised, two.NewPool(Options(PoolFlags.Shared), out _));
        Assert.Equal(TmemStatus.ForeignClient, two.Put(pool, _object, 0, _page));
        // A member stays a member.
        engine.Revoke(one.Id, _id);
        Assert.Equal(TmemStatus.Ok, one.Put(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.Ok, one.DestroyPool(pool));
        Assert.Equal(TmemStatus.NotAuthorised, one.NewPool(Options(PoolFlags.Shared), out _));
    }

    [Fact]
    public void Every_misuse_has_its_own_answer()
    {
        using var engine = Engines.Anonymous();
        var (one, two) = Authorised(engine);
        var ones = new SharedId(ulong.MaxValue, ulong.MaxValue);
        one.NewPool(Options(PoolFlags.Shared), out var pool);
        Assert.Equal(TmemStatus.KindMismatch, two.NewPool(Options(SharedPersistent), out _));
        Assert.Equal(TmemStatus.InvalidSharedId, two.NewPool(Options(PoolFlags.None), out _));
        Assert.Equal(TmemStatus.InvalidSharedId, two.NewPool(new PoolOptions(PoolFlags.Shared, SharedId: ones), out _));
        Assert.Equal(TmemStatus.InvalidSharedId, engine.Authorise(two.Id, ones));
        Assert.Equal(TmemStatus.InvalidSharedId, engine.Authorise(two.Id, default));
        Assert.Throws<ArgumentException>(() => engine.Authorise(default, _id));
        Assert.Equal(TmemStatus.ForeignClient, two.DestroyPool(pool));
        Assert.Empty(two.Pools());
        var rows = 2u;
        while (engine.Authorise(new TmemClientId(rows), new SharedId(rows, 9)) == TmemStatus.Ok) rows++;
        Assert.Equal(TmemStatus.TableFull, engine.Authorise(new TmemClientId(rows), new SharedId(rows, 9)));
        Assert.Equal(170u, rows);
        Assert.Equal(TmemStatus.Ok, engine.Authorise(two.Id, _id));
        Assert.Equal(TmemStatus.Ok, two.NewPool(Options(PoolFlags.Shared), out _));
    }

    [Fact]
    public void Without_an_id_the_kind_is_shared_and_the_pool_is_not()
    {
        using var engine = Engines.Anonymous();
        var one = engine.Client(new TmemClientId(1));
        var two = engine.Client(new TmemClientId(2));
        Assert.NotEqual(Engines.Pool(one, PoolFlags.Shared), Engines.Pool(two, PoolFlags.Shared));
        Assert.NotEqual(Engines.Pool(one, PoolFlags.Shared), Engines.Pool(one, PoolFlags.Shared));
    }

    [Fact]
    public void The_pool_lives_until_the_last_member_leaves_and_its_memory_follows()
    {
        using var engine = Engines.Anonymous();
        var (one, two) = Authorised(engine);
        one.NewPool(Options(SharedPersistent), out var pool);
        two.NewPool(Options(SharedPersistent), out _);
        for (uint i = 0; i < 30; i++) two.Put(pool, _object, i, Pages.Text((int)i));
        Assert.True(one.Info().MemoryBytes > 0);
        Assert.Equal(0, two.Info().MemoryBytes);
        var memory = one.Info().MemoryBytes;

        Assert.Equal(TmemStatus.Ok, one.DestroyPool(pool));
        Assert.Equal(TmemStatus.ForeignClient, one.Get(pool, _object, 0, _page));
        Assert.Equal(TmemStatus.ForeignClient, one.DestroyPool(pool));
        Assert.Equal(0, one.Info().MemoryBytes);
        Assert.Equal(memory, two.Info().MemoryBytes);
        Assert.Equal(TmemStatus.Ok, two.Get(pool, _object, 0, _page));
        // Client 1 may come back; then 2 leaves, and 1 is the last.
        Assert.Equal(TmemStatus.Ok, one.NewPool(Options(SharedPersistent), out var again));
        Assert.Equal(pool, again);
        Assert.Equal(TmemStatus.Ok, two.DestroyPool(pool));
        Assert.Equal(TmemStatus.Ok, one.DestroyPool(pool));
        Assert.Equal(TmemStatus.NoSuchPool, one.DestroyPool(pool));
        Assert.Equal(0, engine.Statistics().Total.Pages);
        Assert.Equal(TmemStatus.Ok, two.NewPool(Options(PoolFlags.Shared), out var next));
        Assert.NotEqual(pool, next);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Members_and_authorisations_survive_an_attach()
    {
        PoolId pool;
        using (var engine = Open())
        {
            var (one, two) = Authorised(engine);
            engine.Authorise(new TmemClientId(3), _id);
            one.NewPool(Options(SharedPersistent), out pool);
            two.NewPool(Options(SharedPersistent), out _);
            two.Put(pool, _object, 7, Pages.Text(1));
            one.DestroyPool(pool);
        }
        using (var engine = Open())
        {
            var one = engine.Client(new TmemClientId(1));
            var two = engine.Client(new TmemClientId(2));
            var three = engine.Client(new TmemClientId(3));
            Assert.Equal([1u, 2u, 3u], engine.Clients().Select(info => info.Id.Value));
            Assert.Equal(TmemStatus.Ok, two.Get(pool, _object, 7, _page));
            Assert.Equal(TmemStatus.ForeignClient, one.Get(pool, _object, 7, _page));
            Assert.Equal(TmemStatus.ForeignClient, three.Get(pool, _object, 7, _page));
            Assert.Equal(TmemStatus.Ok, three.NewPool(Options(SharedPersistent), out var joined));
            Assert.Equal(pool, joined);
            Assert.Equal(two.Info().MemoryBytes,
                engine.Statistics().Pools.Sum(found => found.Statistics.SlotBytes + found.Statistics.IndexBytes));
            two.DestroyPool(pool);
            three.DestroyPool(pool);
            Assert.Empty(engine.Statistics().Pools);
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public unsafe void A_death_between_the_steps_of_leaving_leaves_a_whole_pool_or_none()
    {
        // The owner had handed over and not yet left.
        PoolId pool;
        using (var engine = Open())
        {
            var (one, two) = Authorised(engine);
            one.NewPool(Options(SharedPersistent), out pool);
            two.NewPool(Options(SharedPersistent), out _);
            one.Put(pool, _object, 7, Pages.Text(1));
            Entry(engine, pool)->Owner = 2;
        }
        using (var engine = Open())
        {
            Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(1)).Get(pool, _object, 7, _page));
            Assert.True(engine.Client(new TmemClientId(2)).Info().MemoryBytes > 0);
            // The owner had left, and an older program had not named another.
            engine.Client(new TmemClientId(2)).DestroyPool(pool);
            Entry(engine, pool)->Owner = 2;
        }
        using (var engine = Open())
        {
            Assert.True(engine.Client(new TmemClientId(1)).Info().MemoryBytes > 0);
            // The last member had left, and the pool had not ended yet.
            engine.Client(new TmemClientId(1)).DestroyPool(pool);
            Entry(engine, pool)->LivingId = pool.Value;
        }
        using (var engine = Open())
        {
            Assert.Empty(engine.Statistics().Pools);
            Assert.Equal(TmemStatus.NoSuchPool, engine.Client(new TmemClientId(1)).Get(pool, _object, 7, _page));
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void Joining_putting_and_leaving_beside_each_other_is_clean()
    {
        using var engine = Engines.Anonymous();
        var clients = Enumerable.Range(1, 4).Select(number => engine.Client(new TmemClientId((uint)number))).ToArray();
        foreach (var client in clients) engine.Authorise(client.Id, _id);
        var unexpected = 0;
        Parallel.ForEach(clients, client =>
        {
            var page = Pages.Text((int)client.Id.Value);
            for (uint round = 0; round < 300; round++)
            {
                if (client.NewPool(Options(PoolFlags.Shared), out var pool) != TmemStatus.Ok)
                    Interlocked.Increment(ref unexpected);
                for (uint i = 0; i < 20; i++)
                {
                    if (client.Put(pool, new ObjectId(i), round, page) != TmemStatus.Ok) Interlocked.Increment(ref unexpected);
                }
                if (client.DestroyPool(pool) != TmemStatus.Ok) Interlocked.Increment(ref unexpected);
            }
        });
        Assert.Equal(0, unexpected);
        Assert.Empty(engine.Statistics().Pools);
        Assert.Equal(0, engine.Statistics().Total.Pages);
        Assert.All(engine.Clients(), info => Assert.Equal(0, info.MemoryBytes));
        Engines.AssertSound(engine);
    }

    private PoolOptions Options(PoolFlags flags) => new(flags, SharedId: _id);

    private (TmemClient, TmemClient) Authorised(TmemEngine engine)
    {
        Assert.Equal(TmemStatus.Ok, engine.Authorise(new TmemClientId(1), _id));
        Assert.Equal(TmemStatus.Ok, engine.Authorise(new TmemClientId(2), _id));
        return (engine.Client(new TmemClientId(1)), engine.Client(new TmemClientId(2)));
    }

    private TmemEngine Open() => TmemEngine.Open(new EngineOptions { CapacityBytes = 16 * Engines.Mebi, RegionPath = _path });

    private static unsafe PoolEntry* Entry(TmemEngine engine, PoolId pool) =>
        (PoolEntry*)(engine.Memory.Start + RegionLayout.PoolTableOffset) + (pool.Value & 0x3ff);
}
