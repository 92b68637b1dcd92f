using Tmem.Engine.Format;

namespace Tmem.Engine.Codec;

/// <summary>
/// Dispatches from a pool's codec to its code. A switch over specialised calls: a page costs a predicted branch, no virtual call,
/// and a region may hold pages of all codecs.
/// </summary>
internal static class PageCodecs
{
    /// <summary>Compresses a page. Returns the length, or 0 if it does not fit into <paramref name="destination"/>.</summary>
    public static int Encode(TmemCodec codec, ReadOnlySpan<byte> page, Span<byte> destination, out int format) => codec switch
    {
        TmemCodec.Lz4 => Encode<Lz4Codec>(page, destination, out format),
        TmemCodec.Zstd => Encode<ZstdCodec>(page, destination, out format),
        _ => Encode<PageLz4Codec>(page, destination, out format),
    };

    /// <summary>
    /// Unpacks to exactly a page. False for a block that is malformed or of another length, and for an unknown format.
    /// </summary>
    public static bool Decode(int format, ReadOnlySpan<byte> stored, Span<byte> page) => format switch
    {
        PageFormat.Lz4 => default(PageLz4Codec).Decode(stored, page),
        PageFormat.Zstd => default(ZstdCodec).Decode(stored, page),
        _ => false,
    };

    public static bool IsKnown(TmemCodec codec) => codec <= TmemCodec.Zstd;

    private static int Encode<TCodec>(ReadOnlySpan<byte> page, Span<byte> destination, out int format)
        where TCodec : struct, ICodec
    {
        format = TCodec.Format;
        return default(TCodec).Encode(page, destination);
    }
}
