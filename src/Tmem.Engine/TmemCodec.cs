namespace Tmem.Engine;

/// <summary>
/// What a pool's new pages are compressed with. Each stored page says by itself how it is to be read, so a pool may hold pages of
/// several codecs. Figures are of pages of 4 KiB of real memory (scripts/bench codec).
/// </summary>
public enum TmemCodec : byte
{
    /// <summary>LZ4 blocks by the encoder made for pages: the default. About 2.6 to 1.</summary>
    Page = 0,

    /// <summary>
    /// LZ4 blocks by K4os.Compression.LZ4, the reference: a little denser, and slower to make. Read by the same decoder.
    /// </summary>
    Lz4 = 1,

    /// <summary>
    /// Zstandard, level 1, for pages that are seldom read: about 4 to 1, at three times the time to make and five times the time
    /// to read. Each thread that uses such a pool keeps 166 KiB (391 KiB with pages of 64 KiB) of native memory for it, outside
    /// the capacity.
    /// </summary>
    Zstd = 2,
}

/// <summary>What codecs are called.</summary>
public static class TmemCodecNames
{
    /// <summary>The name in figures and attributes: "lz4" for the default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a codec.</exception>
    public static string Name(this TmemCodec codec) => codec switch
    {
        TmemCodec.Page => "lz4",
        TmemCodec.Lz4 => "lz4-reference",
        TmemCodec.Zstd => "zstd",
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "there is no such codec"),
    };
}
