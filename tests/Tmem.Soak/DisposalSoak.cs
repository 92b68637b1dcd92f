namespace Tmem.Soak;

/// <summary>
/// A few threads call an engine in every way there is; one disposes of it at any moment. Each thread must come to
/// <see cref="ObjectDisposedException"/> and to nothing else, and the disposal must return. Threads are new for half of the
/// rounds, so that the first call of a thread meets a disposal too.
/// </summary>
internal sealed class DisposalSoak(int seed)
{
    private const int Threads = 4;
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(60);

    private long _calls;
    private int _rounds;

    public string Summary() => $"{_rounds} engines, {_calls} calls, seed {seed}";

    /// <summary>Null, or what went wrong.</summary>
    public string? Run(int rounds, CancellationToken stop)
    {
        var random = new Random(seed);
        for (; _rounds < rounds && !stop.IsCancellationRequested; _rounds++)
        {
            var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 4 << 20, CompactInBackground = _rounds % 2 == 0 });
            var client = engine.Client(new TmemClientId(1));
            PoolId[] pools =
                [.. new[] { PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared }.Select(flags => Pool(client, flags))];
            string? failure = null;
            var threads = Enumerable.Range(0, Threads).Select(number => new Thread(() =>
            {
                try { Call(engine, client, pools, new Random(seed + _rounds * Threads + number)); }
                catch (ObjectDisposedException) { }
                catch (Exception other) { failure = $"round {_rounds}: {other}"; }
            })).ToList();
            threads.ForEach(thread => thread.Start());
            Wait(random.Next(3000));
            var disposal = new Thread(engine.Dispose);
            disposal.Start();
            if (!disposal.Join(s_hang) || !threads.TrueForAll(thread => thread.Join(s_hang)))
                return $"round {_rounds}: a disposal or a call hangs";
            if (failure is not null) return failure;
        }
        return null;
    }

    private void Call(TmemEngine engine, TmemClient client, PoolId[] pools, Random random)
    {
        var page = new byte[TmemClient.PageSize];
        while (true)
        {
            Interlocked.Increment(ref _calls);
            var pool = pools[random.Next(pools.Length)];
            var id = new ObjectId((ulong)random.Next(8));
            var index = (uint)random.Next(600);
            switch (random.Next(24))
            {
                case < 8:
                    random.NextBytes(page.AsSpan(0, random.Next(page.Length)));
                    client.Put(pool, id, index, page);
                    break;
                case < 14: client.Get(pool, id, index, page); break;
                case 14: client.FlushRange(pool, id, index, index + 50, out _); break;
                case 15: client.Write(pool, id, index, 8, page.AsSpan(0, 100)); break;
                case 16: client.Exchange(pool, id, index, pool, id, index + 1); break;
                case 17: client.NextPage(pool, id, index, out _); break;
                case 18: engine.Statistics(); break;
                case 19: engine.Verify(); break;
                case 20: engine.Compact(100); break;
                case 21:
                    // A call within a call, from the stream that is written to.
                    client.SavePool(pool, new Within(engine));
                    break;
                case 22:
                    if (client.NewPool(new PoolOptions(PoolFlags.Persistent), out var another) == TmemStatus.Ok)
                        client.DestroyPool(another);
                    break;
                default: engine.Resize((3 + random.Next(2)) << 20); break;
            }
        }
    }

    /// <summary>Somewhere in the first milliseconds, to the microsecond.</summary>
    private static void Wait(int microseconds)
    {
        var end = System.Diagnostics.Stopwatch.GetTimestamp() + microseconds * System.Diagnostics.Stopwatch.Frequency / 1_000_000;
        while (System.Diagnostics.Stopwatch.GetTimestamp() < end) Thread.SpinWait(20);
    }

    private static PoolId Pool(TmemClient client, PoolFlags flags) =>
        client.NewPool(new PoolOptions(flags), out var pool) == TmemStatus.Ok ? pool
            : throw new SoakFailure("no pool could be made");

    private sealed class Within(TmemEngine engine) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            engine.Room();
            base.Write(buffer);
        }
    }
}
