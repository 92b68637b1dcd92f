using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// Zstandard at level 1 through ZstdSharp's translation of the C library, one pair of contexts a thread. Frames have no magic number: four
/// bytes a page that the slot's header says already.
/// </summary>
internal readonly unsafe struct ZstdCodec : ICodec
{
    private const int Level = 1;

    public static int Format => PageFormat.Zstd;
    public static string Name => "zstd";

    public int Encode(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        fixed (byte* from = page, to = destination)
        {
            var length = Methods.ZSTD_compress2(Contexts.Current.Compress, to, (nuint)destination.Length, from, (nuint)page.Length);
            return Methods.ZSTD_isError(length) ? 0 : (int)length;
        }
    }

    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page)
    {
        fixed (byte* from = stored, to = page)
            return Methods.ZSTD_decompressDCtx(Contexts.Current.Decompress, to, (nuint)page.Length, from, (nuint)stored.Length) == (nuint)page.Length;
    }

    /// <summary>Makes the calling thread's contexts as large as pages of this size need them.</summary>
    public static void Prepare(int pageSize)
    {
        // What a context allocates depends on the size alone, and it does so with the first page.
        Span<byte> page = new byte[pageSize], packed = new byte[pageSize];
        var length = default(ZstdCodec).Encode(page, packed);
        default(ZstdCodec).Decode(packed[..length], page);
    }

    /// <summary>One thread's contexts: native memory, freed with the thread.</summary>
    private sealed class Contexts
    {
        // The experimental parameters ZSTD_c_format and ZSTD_d_format, and their value ZSTD_f_zstd1_magicless.
        private const ZSTD_cParameter CompressFormat = ZSTD_cParameter.ZSTD_c_experimentalParam2;
        private const ZSTD_dParameter DecompressFormat = ZSTD_dParameter.ZSTD_d_experimentalParam1;
        private const int Magicless = 1;

        [ThreadStatic] private static Contexts? t_current;

        public readonly ZSTD_CCtx_s* Compress = Methods.ZSTD_createCCtx();
        public readonly ZSTD_DCtx_s* Decompress = Methods.ZSTD_createDCtx();

        private Contexts()
        {
            if (Compress == null || Decompress == null
                || Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(Compress, ZSTD_cParameter.ZSTD_c_compressionLevel, Level))
                || Methods.ZSTD_isError(Methods.ZSTD_CCtx_setParameter(Compress, CompressFormat, Magicless))
                || Methods.ZSTD_isError(Methods.ZSTD_DCtx_setParameter(Decompress, DecompressFormat, Magicless)))
                throw new InvalidOperationException("zstd has no memory for a thread's contexts, or does not know a parameter it had when this was built");
        }

        ~Contexts()
        {
            _ = Methods.ZSTD_freeCCtx(Compress);
            _ = Methods.ZSTD_freeDCtx(Decompress);
        }

        public static Contexts Current => t_current ??= new Contexts();
    }
}
