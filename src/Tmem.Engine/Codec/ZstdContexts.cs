using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// Pairs of Zstandard contexts, some 600 KiB each, lent for a page. A few are kept, as many as can be in use at one time; a
/// thread that finds none makes another, which is freed when it comes back to a full shelf. They count as the process's memory
/// and not the store's (<see cref="EngineStatistics.WorkingBytes"/>).
/// <para>A prepared thread (<see cref="TmemEngine.PrepareThread"/>) has its own pair and never waits for memory: it may be the
/// one that swaps.</para>
/// <para>Rejected: a pair for each thread. That took 676 MiB after 20,000 short-lived threads, until a collection. Taking and
/// returning cost an interlocked exchange each, where a page takes 5 us or more.</para>
/// </summary>
internal sealed unsafe class ZstdContexts : IDisposable
{
    private const int Level = 1;

    // The experimental parameters ZSTD_c_format and ZSTD_d_format, and their value ZSTD_f_zstd1_magicless.
    private const ZSTD_cParameter CompressFormat = ZSTD_cParameter.ZSTD_c_experimentalParam2;
    private const ZSTD_dParameter DecompressFormat = ZSTD_dParameter.ZSTD_d_experimentalParam1;
    private const int Magicless = 1;

    private static readonly ZstdContexts?[] s_shelf = new ZstdContexts?[MostKept];
    private static readonly ThreadHeirlooms<ZstdContexts> s_prepared = new();
    private static long s_bytes;
    private static int s_count;
    [ThreadStatic] private static ZstdContexts? t_own;

    private bool _isOfThread;
    private long _bytes;

    private ZstdContexts()
    {
        if (Compress == null || Decompress == null
            || Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(Compress, ZSTD_cParameter.ZSTD_c_compressionLevel, Level))
            || Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(Compress, CompressFormat, Magicless))
            || Methods.ZSTD_isError(Methods.ZSTD_DCtx_setParameter(Decompress, DecompressFormat, Magicless)))
            throw new InvalidOperationException(
                "zstd has no memory for contexts, or does not know a parameter it had when this was built");
        Interlocked.Increment(ref s_count);
    }

    ~ZstdContexts() => Free();

    public ZSTD_CCtx_s* Compress { get; private set; } = Methods.ZSTD_createCCtx();
    public ZSTD_DCtx_s* Decompress { get; private set; } = Methods.ZSTD_createDCtx();

    /// <summary>The most unused pairs kept, without those of prepared threads.</summary>
    public static int MostKept => Math.Max(4, 2 * Environment.ProcessorCount);

    /// <summary>The bytes of all pairs, as of when each was last returned.</summary>
    public static long AllBytes => Volatile.Read(ref s_bytes);

    /// <summary>The number of pairs. For tests.</summary>
    internal static int Count => Volatile.Read(ref s_count);

    /// <summary>A pair for exclusive use until it is returned.</summary>
    public static ZstdContexts Take()
    {
        if (t_own is { } own) return own;
        foreach (ref var place in s_shelf.AsSpan())
        {
            if (Volatile.Read(ref place) is not null && Interlocked.Exchange(ref place, null) is { } kept) return kept;
        }
        return new ZstdContexts();
    }

    /// <summary>Gives the calling thread a pair of its own; when the thread ends, the next that asks inherits it.</summary>
    public static void KeepForThread()
    {
        t_own ??= s_prepared.Mine(_ => true, () => new ZstdContexts { _isOfThread = true });
    }

    public void GiveBack()
    {
        // A context grows with the largest page it has met.
        var bytes = (long)(Methods.ZSTD_sizeof_CCtx(Compress) + Methods.ZSTD_sizeof_DCtx(Decompress));
        if (bytes != _bytes) Interlocked.Add(ref s_bytes, bytes - Interlocked.Exchange(ref _bytes, bytes));
        if (_isOfThread) return;
        foreach (ref var place in s_shelf.AsSpan())
        {
            if (Volatile.Read(ref place) is null && Interlocked.CompareExchange(ref place, this, null) is null) return;
        }
        Dispose();
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (Compress == null) return;
        _ = Methods.ZSTD_freeCCtx(Compress);
        _ = Methods.ZSTD_freeDCtx(Decompress);
        Compress = null;
        Decompress = null;
        Interlocked.Add(ref s_bytes, -_bytes);
        Interlocked.Decrement(ref s_count);
    }
}
