using Tmem.Engine.Format;
using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// Zstandard at level 1 through ZstdSharp's translation of the C library. Frames have no magic number: four bytes a page that the
/// slot's header says already. Who packs or unpacks a page has a pair of contexts meanwhile: <see cref="ZstdContexts"/>.
/// </summary>
internal readonly unsafe struct ZstdCodec : ICodec
{
    public static int Format => PageFormat.Zstd;
    public int Encode(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        var contexts = ZstdContexts.Take();
        fixed (byte* from = page, to = destination)
        {
            var length = Methods.ZSTD_compress2(contexts.Compress, to, (nuint)destination.Length, from, (nuint)page.Length);
            contexts.GiveBack();
            return Methods.ZSTD_isError(length) ? 0 : (int)length;
        }
    }

    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page)
    {
        var contexts = ZstdContexts.Take();
        fixed (byte* from = stored, to = page)
        {
            var length = Methods.ZSTD_decompressDCtx(contexts.Decompress, to, (nuint)page.Length, from, (nuint)stored.Length);
            contexts.GiveBack();
            return length == (nuint)page.Length;
        }
    }

    /// <summary>Gives the calling thread contexts of its own, as large as pages of this size need them.</summary>
    public static void Prepare(int pageSize)
    {
        ZstdContexts.KeepForThread();
        // What a context allocates depends on the size alone, and it does so with the first page.
        Span<byte> page = new byte[pageSize], packed = new byte[pageSize];
        var length = default(ZstdCodec).Encode(page, packed);
        default(ZstdCodec).Decode(packed[..length], page);
    }
}
