namespace Tmem.Engine.Tests;

/// <summary>Weights, limits, a client's figures and its end.</summary>
public sealed class ClientTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-clients-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_persistent_put_over_the_clients_limit_is_refused_and_other_clients_go_on()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var other = engine.Client(new TmemClientId(2));
        const long limit = 200_000;
        Assert.Equal(TmemStatus.Ok, client.Configure(new ClientOptions(LimitBytes: limit)));
        // Two pools of one client: neither is near the limit by itself when the client reaches it.
        PoolId[] pools = [Engines.Pool(client), Engines.Pool(client)];
        var status = TmemStatus.Ok;
        uint stored = 0;
        for (; status == TmemStatus.Ok; stored++)
            status = client.Put(pools[stored % 2], new ObjectId(1), stored, Pages.Random((int)stored));
        Assert.Equal(TmemStatus.ClientLimit, status);
        var info = client.Info();
        Assert.InRange(info.MemoryBytes, limit - 5000, limit);
        Assert.Equal(stored - 1, info.Pages);
        Assert.Equal(1, engine.Statistics().Total.PutsClientLimit);

        var pool = Engines.Pool(other);
        for (uint i = 0; i < 200; i++) Assert.Equal(TmemStatus.Ok, other.Put(pool, new ObjectId(1), i, Pages.Random((int)i)));
        client.FlushPage(pools[0], new ObjectId(1), 0);
        Assert.Equal(TmemStatus.Ok, client.Put(pools[1], new ObjectId(1), 1, Pages.Random(1)));
        Assert.Equal(TmemStatus.Ok, client.Configure(new ClientOptions()));
        Assert.Equal(TmemStatus.Ok, client.Put(pools[1], new ObjectId(1), 999, Pages.Random(1)));
        Engines.AssertSound(engine);
    }

    [Theory]
    [InlineData(PoolFlags.None)]
    [InlineData(PoolFlags.Persistent)]
    public void Over_its_limit_a_client_loses_its_own_ephemeral_pages_first(PoolFlags flags)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var other = engine.Client(new TmemClientId(2));
        var bystander = Engines.Pool(other, PoolFlags.None);
        for (uint i = 0; i < 100; i++) other.Put(bystander, new ObjectId(1), i, Pages.Random((int)i));
        client.Configure(new ClientOptions(LimitBytes: 300_000));
        var cache = Engines.Pool(client, PoolFlags.None);
        for (uint i = 0; i < 60; i++) Assert.Equal(TmemStatus.Ok, client.Put(cache, new ObjectId(1), i, Pages.Random((int)i)));
        var pool = Engines.Pool(client, flags);
        for (uint i = 0; i < 65; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(2), i, Pages.Random((int)i)));
        Assert.InRange(client.Info().MemoryBytes, 0, 300_000);
        Assert.True(Engines.Figures(client, cache).Evictions + Engines.Figures(client, pool).Evictions > 0);
        Assert.Equal(100, Engines.Figures(other, bystander).Pages);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Several_threads_together_never_pass_the_clients_limit()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        const long limit = 400_000;
        client.Configure(new ClientOptions(LimitBytes: limit));
        var pools = Enumerable.Range(0, 4).Select(_ => Engines.Pool(client)).ToArray();
        Parallel.For(0, 4, number =>
        {
            var random = new Random(number);
            for (var i = 0; i < 20_000; i++)
            {
                var index = (uint)random.Next(100);
                if (random.Next(3) == 0) client.FlushPage(pools[number], new ObjectId(1), index);
                else client.Put(pools[number], new ObjectId(1), index, Pages.Filled(0));
                if (random.Next(3) == 0) client.Put(pools[(number + 1) % 4], new ObjectId(2), index, s_random);
            }
        });
        Assert.InRange(client.Info().MemoryBytes, limit / 2, limit);
        Assert.True(engine.Statistics().Total.PutsClientLimit > 0);
        Engines.AssertSound(engine);
    }

    private static readonly byte[] s_random = Pages.Random(1);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(1, 7)]
    public void When_the_store_is_full_ephemeral_memory_follows_the_weights(int first, int second)
    {
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        TmemClient[] clients = [engine.Client(new TmemClientId(1)), engine.Client(new TmemClientId(2))];
        clients[0].Configure(new ClientOptions(Weight: first));
        clients[1].Configure(new ClientOptions(Weight: second));
        var pools = clients.Select(client => Engines.Pool(client, PoolFlags.None)).ToArray();
        // The first fills the store; then the second asks for its share.
        for (uint i = 0; i < 8000; i++)
            Assert.Equal(TmemStatus.Ok, clients[0].Put(pools[0], new ObjectId(1), i, Pages.Random((int)i % 50)));
        for (uint i = 0; i < 8000; i++)
        {
            Assert.Equal(TmemStatus.Ok, clients[1].Put(pools[1], new ObjectId(1), i, Pages.Random((int)i % 50)));
            Assert.Equal(TmemStatus.Ok, clients[0].Put(pools[0], new ObjectId(2), i, Pages.Random((int)i % 50)));
        }
        var infos = engine.Clients();
        var total = infos.Sum(info => info.EphemeralBytes);
        Assert.Equal([1u, 2u], infos.Select(info => info.Id.Value));
        for (var i = 0; i < 2; i++)
        {
            var share = total * infos[i].Options.Weight / (first + second);
            Assert.Equal(share, infos[i].ShareBytes);
            Assert.InRange(infos[i].EphemeralBytes, share - total / 16, share + total / 16);
        }
        Engines.AssertSound(engine);
    }

    [Fact]
    public void The_client_over_its_share_is_the_first_to_lose_pages()
    {
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        var small = engine.Client(new TmemClientId(1));
        var hog = engine.Client(new TmemClientId(2));
        var kept = Engines.Pool(small, PoolFlags.None);
        for (uint i = 0; i < 500; i++) small.Put(kept, new ObjectId(1), i, Pages.Random((int)i % 50));
        var flood = Engines.Pool(hog, PoolFlags.None);
        // Pages of every kind, those held in their descriptors too.
        for (uint i = 0; i < 20_000; i++)
            Assert.Equal(TmemStatus.Ok,
                hog.Put(flood, new ObjectId(i % 9), i * 70, i % 2 == 0 ? Pages.Filled(i) : Pages.Random((int)i % 50)));
        Assert.True(Engines.Figures(hog, flood).Evictions > 1000);
        Assert.Equal(0, Engines.Figures(small, kept).Evictions);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_client_whose_pages_have_no_slots_loses_them_too()
    {
        using var engine = Engines.Anonymous(2 * Engines.Mebi);
        var small = engine.Client(new TmemClientId(1));
        var hog = engine.Client(new TmemClientId(2));
        var kept = Engines.Pool(small, PoolFlags.Shared);
        for (uint i = 0; i < 50; i++) small.Put(kept, new ObjectId(1), i, Pages.Random((int)i));
        var flood = Engines.Pool(hog, PoolFlags.None);
        for (uint i = 0; i < 10_000; i++)
            Assert.Equal(TmemStatus.Ok, hog.Put(flood, new ObjectId(i % 3000), i * 10_000, Pages.Filled(0)));
        Assert.True(Engines.Figures(hog, flood).Evictions > 0);
        Assert.Equal(50, Engines.Figures(small, kept).Pages);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Settings_survive_an_attach_and_defaults_take_no_entry()
    {
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(7));
            Assert.Equal(TmemStatus.Ok, client.Configure(new ClientOptions(500, 1_000_000)));
            Assert.Equal(TmemStatus.Ok, client.Freeze());
            engine.Client(new TmemClientId(8)).Configure(new ClientOptions(3));
            engine.Client(new TmemClientId(8)).Configure(new ClientOptions());
            Engines.Pool(engine.Client(new TmemClientId(9)));
        }
        using (var engine = Open())
        {
            Assert.Equal([7u, 9u], engine.Clients().Select(info => info.Id.Value));
            var info = engine.Client(new TmemClientId(7)).Info();
            Assert.Equal(new ClientOptions(500, 1_000_000), info.Options);
            Assert.True(info.Frozen);
            Assert.Equal(1, engine.Clients()[1].Pools);
        }
    }

    [Fact]
    public void A_limit_counts_after_an_attach_too()
    {
        PoolId pool;
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            client.Configure(new ClientOptions(LimitBytes: 100_000));
            for (uint i = 0; i < 20; i++) client.Put(pool, new ObjectId(1), i, Pages.Random((int)i));
        }
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            uint more = 20;
            while (client.Put(pool, new ObjectId(1), more, Pages.Random((int)more)) == TmemStatus.Ok) more++;
            Assert.InRange(client.Info().MemoryBytes, 95_000, 100_000);
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void Settings_out_of_range_are_refused_and_the_table_has_a_limit()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal(TmemStatus.InvalidArgument, client.Configure(new ClientOptions(0)));
        Assert.Equal(TmemStatus.InvalidArgument, client.Configure(new ClientOptions(65_536)));
        Assert.Equal(TmemStatus.InvalidArgument, client.Configure(new ClientOptions(1, -1)));
        Assert.Equal(TmemStatus.InvalidArgument, client.Configure(new ClientOptions(1, 1L << 48)));
        Assert.Equal(TmemStatus.Ok,
            client.Configure(new ClientOptions(ClientOptions.MaximumWeight, ClientOptions.MaximumLimitBytes)));
        Assert.Equal(ClientOptions.MaximumLimitBytes, client.Info().Options.LimitBytes);
        for (uint id = 2; id <= 256; id++)
            Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(id)).Configure(new ClientOptions(2)));
        Assert.Equal(TmemStatus.TableFull, engine.Client(new TmemClientId(257)).Configure(new ClientOptions(2)));
        Assert.Equal(TmemStatus.TableFull, engine.Client(new TmemClientId(257)).Freeze());
        engine.Client(new TmemClientId(100)).Configure(new ClientOptions());
        Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(257)).Configure(new ClientOptions(2)));
        Assert.Throws<ArgumentException>(() => engine.Client(default));
    }

    [Fact]
    public void A_limit_below_one_slot_lets_nothing_in()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        client.Configure(new ClientOptions(LimitBytes: 1));
        Assert.Equal(TmemStatus.ClientLimit, client.Put(Engines.Pool(client), new ObjectId(1), 0, Pages.Filled(0)));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_destroyed_client_leaves_nothing()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var other = engine.Client(new TmemClientId(2));
        client.Configure(new ClientOptions(5, 1 << 20));
        client.Freeze();
        client.Thaw();
        var id = new SharedId(1, 2);
        engine.Authorise(client.Id, id);
        engine.Authorise(other.Id, id);
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(PoolFlags.Shared, SharedId: id), out var shared));
        Assert.Equal(TmemStatus.Ok, other.NewPool(new PoolOptions(PoolFlags.Shared, SharedId: id), out _));
        var own = Engines.Pool(client);
        client.Put(own, new ObjectId(1), 0, Pages.Text(1));
        client.Put(shared, new ObjectId(1), 0, Pages.Text(1));
        client.Destroy();
        Assert.Empty(client.Pools());
        Assert.Equal([2u], engine.Clients().Select(info => info.Id.Value));
        Assert.Equal(1, engine.Statistics().Total.Pages);
        Assert.Equal(1, other.Info().Pages);
        Assert.Equal(TmemStatus.NotAuthorised, client.NewPool(new PoolOptions(PoolFlags.Shared, SharedId: id), out _));
        Engines.AssertSound(engine);
    }

    private TmemEngine Open() => TmemEngine.Open(new EngineOptions { CapacityBytes = 16 * Engines.Mebi, RegionPath = _path });
}
