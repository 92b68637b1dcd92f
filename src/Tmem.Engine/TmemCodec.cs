namespace Tmem.Engine;

/// <summary>
/// The codec for a pool's new pages. Each stored page carries its format, so a pool may hold pages of several codecs. Figures are
/// for 4 KiB pages of real memory (scripts/bench codec).
/// </summary>
public enum TmemCodec : byte
{
    /// <summary>LZ4 blocks by the engine's own page encoder: the default. About 2.6 to 1.</summary>
    Page = 0,

    /// <summary>
    /// LZ4 blocks by K4os.Compression.LZ4, the reference: slightly denser, slower to compress. Unpacked by the same decoder.
    /// </summary>
    Lz4 = 1,

    /// <summary>
    /// Zstandard, level 1, for pages that are seldom read: about 4 to 1, at three times the time to compress and five times the
    /// time to unpack. Each compression or unpacking borrows a pair of contexts, some 600 KiB of native memory outside the
    /// capacity; a few pairs are kept (docs/memory.md).
    /// </summary>
    Zstd = 2,
}

/// <summary>The names of codecs.</summary>
public static class TmemCodecNames
{
    /// <summary>The name in figures and attributes: "lz4" for the default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The codec is unknown.</exception>
    public static string Name(this TmemCodec codec) => codec switch
    {
        TmemCodec.Page => "lz4",
        TmemCodec.Lz4 => "lz4-reference",
        TmemCodec.Zstd => "zstd",
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "there is no such codec"),
    };
}
