namespace Tmem.Engine.Format;

/// <summary>
/// The format of a slot's bytes: three bits of its descriptor, part of the region's format. Several codecs may write one format.
/// </summary>
internal static class PageFormat
{
    /// <summary>The page itself.</summary>
    public const int Raw = 0;

    /// <summary>An LZ4 block.</summary>
    public const int Lz4 = 1;

    /// <summary>A Zstandard frame without its magic number.</summary>
    public const int Zstd = 2;

    /// <summary>Bytes that the client compressed, of any length up to a page: never interpreted.</summary>
    public const int Precompressed = 3;

    // 4 is kept for pages that lie elsewhere.

    /// <summary>
    /// The number of one of the region's dictionaries (a byte), then a Zstandard frame without magic number, made with it.
    /// </summary>
    public const int Dictionary = 5;
}
