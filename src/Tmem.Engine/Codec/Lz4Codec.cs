using K4os.Compression.LZ4;
using Tmem.Engine.Format;

namespace Tmem.Engine.Codec;

/// <summary>
/// The LZ4 block format through K4os.Compression.LZ4, fast level: the reference every other encoder is checked against.
/// </summary>
internal readonly struct Lz4Codec : ICodec
{
    public static int Format => PageFormat.Lz4;
    public int Encode(ReadOnlySpan<byte> page, Span<byte> destination) =>
        Math.Max(0, LZ4Codec.Encode(page, destination, LZ4Level.L00_FAST));

    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page) => LZ4Codec.Decode(stored, page) == page.Length;
}
