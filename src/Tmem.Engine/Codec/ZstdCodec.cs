using Tmem.Engine.Format;
using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// Zstandard at level 1 through ZstdSharp's translation of the C library. Frames have no magic number: that saves four bytes a
/// page, which the page's format makes redundant. Each page borrows a pair of contexts: <see cref="ZstdContexts"/>.
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

    /// <summary>Gives the calling thread its own contexts, as large as pages of this size need.</summary>
    public static void Prepare(int pageSize)
    {
        ZstdContexts.KeepForThread();
        // A context's allocations depend on the page size alone, and happen with the first page.
        Span<byte> page = new byte[pageSize], packed = new byte[pageSize];
        var length = default(ZstdCodec).Encode(page, packed);
        default(ZstdCodec).Decode(packed[..length], page);
    }
}
