namespace Tmem.Soak;

/// <summary>The contents of one round: pages whose numbers are known, in pools of every kind.</summary>
internal sealed class FlippedStore(Random random)
{
    private static readonly PoolFlags[] s_kinds = [PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared];
    private readonly Dictionary<(int Pool, ulong Object, uint Index), long> _pages = [];
    private readonly PoolId[] _pools = new PoolId[s_kinds.Length];
    private readonly byte[] _page = new byte[SoakPage.Size];
    private readonly byte[] _expected = new byte[SoakPage.Size];

    public void Fill(TmemEngine engine)
    {
        var client = engine.Client(new TmemClientId(1));
        for (var i = 0; i < _pools.Length; i++) client.NewPool(new PoolOptions(s_kinds[i]), out _pools[i]);
        for (var i = 0; i < 150; i++)
        {
            var (pool, obj) = (random.Next(_pools.Length), (ulong)random.Next(12));
            Put(client, pool, obj, obj % 3 == 0 ? 0 : random.Next(8) == 0 ? (uint)random.Next() : (uint)random.Next(100));
        }
        for (var i = 0; i < 20; i++)
        {
            engine.Records.Allocate(1, 200, out var record);
            engine.Records.Commit(record);
        }
    }

    /// <summary>Uses the store; says what it lost, and what it answered wrongly.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="verifyOnly">An engine trusts the index and the tables in its own memory: what is damaged there is the
    /// verifier's to find.</param>
    public (string? Lost, string? Wrong) Use(TmemEngine engine, bool verifyOnly)
    {
        var client = engine.Client(new TmemClientId(1));
        var report = engine.Verify();
        string? lost = report.Clean ? null : $"named by the verifier: {report.Problems[0]}";
        if (verifyOnly) return (lost, null);
        foreach (var (key, number) in _pages)
        {
            var status = client.Get(_pools[key.Pool], Id(key.Object), key.Index, _page);
            if (status != TmemStatus.Ok)
            {
                lost ??= status == TmemStatus.Corrupt ? "corrupt" : $"unnoticed but for answers of {status}";
                continue;
            }
            SoakPage.Make(_expected, key.Object << 32 | key.Index, number);
            if (_page.AsSpan().SequenceEqual(_expected)) continue;
            return (null,
                $"{new PageHandle(_pools[key.Pool], Id(key.Object), key.Index)} answered a page that was not put there");
        }
        Churn(client, 200);
        engine.Statistics();
        engine.Compact(1000);
        engine.Shrink(1 << 20);
        foreach (var pool in _pools) client.DestroyPool(pool);
        engine.Records.ForEach(1, record => engine.Records.Bytes(record).Clear());
        engine.Verify();
        return (lost, null);
    }

    private void Churn(TmemClient client, int calls)
    {
        for (var i = 0; i < calls; i++)
        {
            var (pool, obj, index) = (random.Next(_pools.Length), (ulong)random.Next(12), (uint)random.Next(100));
            switch (random.Next(6))
            {
                case < 3: Put(client, pool, obj, index); break;
                case 3: client.FlushPage(_pools[pool], Id(obj), index); break;
                case 4: client.NextPage(_pools[pool], Id(obj), index, out _); break;
                default: client.FlushRange(_pools[pool], Id(obj), index, index + 20, out _); break;
            }
        }
    }

    private void Put(TmemClient client, int pool, ulong obj, uint index)
    {
        var number = random.NextInt64() & long.MaxValue;
        SoakPage.Make(_page, obj << 32 | index, number);
        if (client.Put(_pools[pool], Id(obj), index, _page) == TmemStatus.Ok) _pages[(pool, obj, index)] = number;
    }

    private static ObjectId Id(ulong obj) => new(obj, obj << 32, 0);
}
