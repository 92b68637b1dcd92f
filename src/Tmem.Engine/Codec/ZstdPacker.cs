using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// Compresses pages with a dictionary: one thread's context. It is no <see cref="ICodec"/>, because only the recompressor stores
/// pages so, with a level and a dictionary of its choice.
/// </summary>
internal sealed unsafe class ZstdPacker : IDisposable
{
    private const ZSTD_cParameter Format = ZSTD_cParameter.ZSTD_c_experimentalParam2;
    private const int Magicless = 1;

    /// <summary>The first byte of each frame: no content size, no checksum, no dictionary's number.</summary>
    public const byte FrameDescriptor = 0;

    private ZSTD_CCtx_s* _context = Methods.ZSTD_createCCtx();

    public ZstdPacker()
    {
        if (_context != null && IsSet(Format, Magicless) && IsSet(ZSTD_cParameter.ZSTD_c_contentSizeFlag, 0)
            && IsSet(ZSTD_cParameter.ZSTD_c_checksumFlag, 0) && IsSet(ZSTD_cParameter.ZSTD_c_dictIDFlag, 0)) return;
        Dispose();
        throw new InvalidOperationException("zstd has no memory for a context, or lacks a parameter it had when this was built");
    }

    /// <summary>Bytes of the context.</summary>
    public long Bytes => (long)Methods.ZSTD_sizeof_CCtx(_context);

    /// <summary>Compresses a page with a digested dictionary. The length, or 0 if it does not fit.</summary>
    public int Encode(ZstdDictionary dictionary, ReadOnlySpan<byte> page, Span<byte> destination)
    {
        fixed (byte* from = page, to = destination)
        {
            if (Methods.ZSTD_isError(Methods.ZSTD_CCtx_refCDict(_context, dictionary.Compressing))) return 0;
            var length = Methods.ZSTD_compress2(_context, to, (nuint)destination.Length, from, (nuint)page.Length);
            if (!Methods.ZSTD_isError(length)) return (int)length;
            // What failed midway would refuse the next page its dictionary.
            _ = Methods.ZSTD_CCtx_reset(_context, ZSTD_ResetDirective.ZSTD_reset_session_only);
            return 0;
        }
    }

    public void Dispose()
    {
        if (_context == null) return;
        _ = Methods.ZSTD_freeCCtx(_context);
        _context = null;
    }

    private bool IsSet(ZSTD_cParameter parameter, int value) =>
        !Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(_context, parameter, value));
}
