using Microsoft.Win32.SafeHandles;
using Tmem.Engine;

namespace PageCache;

/// <summary>
/// A file that does not change, read through a cache of compressed pages outside the managed heap. The pool is a cache's, so the
/// cache never says "full": it lets go of pages that were not read lately.
/// </summary>
internal sealed class CachedFile : IDisposable
{
    private static readonly ObjectId s_file = new(1);

    private readonly SafeFileHandle _file;
    private readonly TmemEngine _engine;
    private readonly TmemClient _client;
    private readonly PoolId _pool;

    public CachedFile(string path, long cacheBytes)
    {
        _file = File.OpenHandle(path);
        _engine = TmemEngine.Open(new EngineOptions { CapacityBytes = cacheBytes });
        _client = _engine.Client(new TmemClientId(1));
        var status = _client.NewPool(new PoolOptions(PoolKind.Cache), out _pool);
        if (status != TmemStatus.Ok) throw new InvalidOperationException($"no pool: {status}");
    }

    /// <summary>Reads one page. May be called from any thread.</summary>
    public void Read(uint number, Span<byte> page)
    {
        // A miss and a page that fails its checksum are the same to a cache: the file has it.
        if (_client.TryGet(_pool, s_file, number, page, out _)) return;
        var length = RandomAccess.Read(_file, page, (long)number * TmemClient.PageSize);
        page[length..].Clear();
        _client.TryPut(_pool, s_file, number, page, out _);
    }

    public EngineStatistics Statistics() => _engine.Statistics();

    public void Dispose()
    {
        _engine.Dispose();
        _file.Dispose();
    }
}
