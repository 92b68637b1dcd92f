using System.Runtime.InteropServices;
using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>Makes a dictionary of sample pages: zstd's fast cover trainer, with one choice of parameters.</summary>
internal static unsafe class ZstdTrainer
{
    /// <summary>Fills a buffer with a dictionary. The length, or 0 if the samples give none.</summary>
    /// <param name="samples">Sample pages, one after the other.</param>
    /// <param name="pageSize">Their size.</param>
    /// <param name="dictionary">Room for the dictionary: its size.</param>
    /// <param name="level">The level it will be used at.</param>
    /// <param name="segment">The length of the pieces that are chosen; <see cref="Segment"/> serves pages of memory.</param>
    public static int Train(ReadOnlySpan<byte> samples, int pageSize, Span<byte> dictionary, int level, int segment = Segment)
    {
        var count = samples.Length / pageSize;
        var sizes = (nuint*)NativeMemory.Alloc((nuint)count, (nuint)sizeof(nuint));
        try
        {
            new Span<nuint>(sizes, count).Fill((nuint)pageSize);
            var parameters = new ZDICT_fastCover_params_t
            {
                k = (uint)segment,
                d = 8,
                f = 20,
                accel = 1,
                splitPoint = 1,
                zParams = new ZDICT_params_t { compressionLevel = level },
            };
            fixed (byte* from = samples, to = dictionary)
            {
                var length = Methods.ZDICT_trainFromBuffer_fastCover(to, (nuint)dictionary.Length, from, sizes, (uint)count,
                    parameters);
                return Methods.ZDICT_isError(length) ? 0 : (int)length;
            }
        }
        finally { NativeMemory.Free(sizes); }
    }

    /// <summary>Chosen by scripts/bench codec --dictionaries.</summary>
    public const int Segment = 200;
}
