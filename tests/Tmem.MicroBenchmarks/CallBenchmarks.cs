using BenchmarkDotNet.Attributes;

namespace Tmem.MicroBenchmarks;

/// <summary>The calls of a client, codec included.</summary>
public class CallBenchmarks : IDisposable
{
    private const uint Pages = 50_000;

    private readonly byte[][] _pages = SamplePages.Make();
    private readonly byte[] _target = new byte[TmemClient.PageSize];
    private readonly TmemEngine _engine = TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 1L << 30, CompactInBackground = false,
    });
    private readonly TmemEngine _full = TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 32L << 20, CompactInBackground = false,
    });
    private readonly TmemClient _client;
    private readonly TmemClient _fullClient;
    private readonly PoolId _pool;
    private readonly PoolId _fullPool;
    private readonly ObjectId _object = new(1);
    private uint _next;

    public CallBenchmarks()
    {
        _client = _engine.Client(new TmemClientId(1));
        _client.NewPool(new PoolOptions(PoolFlags.Persistent), out _pool);
        _fullClient = _full.Client(new TmemClientId(1));
        _fullClient.NewPool(new PoolOptions(PoolFlags.Shared), out _fullPool);
        for (uint i = 0; i < Pages; i++)
        {
            _client.Put(_pool, _object, i, Page(i));
            _fullClient.Put(_fullPool, _object, i, Page(i));
        }
    }

    [Benchmark(Description = "put over a page")]
    public TmemStatus Put() => _client.Put(_pool, _object, _next = (_next + 1) % Pages, Page(_next * 7));

    [Benchmark(Description = "replace")]
    public TmemStatus Replace() => _client.Replace(_pool, _object, _next = (_next + 1) % Pages, Page(_next * 7));

    [Benchmark(Description = "get")]
    public TmemStatus Get() => _client.Get(_pool, _object, (_next += 7919) % Pages, _target);

    [Benchmark(Description = "get, miss")]
    public TmemStatus Miss() => _client.Get(_pool, _object, Pages + _next++ % Pages, _target);

    [Benchmark(Description = "put and flush")]
    public TmemStatus PutAndFlush()
    {
        _client.Put(_pool, _object, Pages, Page(_next++));
        return _client.FlushPage(_pool, _object, Pages);
    }

    [Benchmark(Description = "put, evicting")]
    public TmemStatus Evict() => _fullClient.Put(_fullPool, _object, Pages + _next++, Page(_next));

    [GlobalCleanup]
    public void Dispose()
    {
        _engine.Dispose();
        _full.Dispose();
    }

    private byte[] Page(uint number) => _pages[number % SamplePages.Count];
}
