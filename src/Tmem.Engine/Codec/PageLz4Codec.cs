using Tmem.Engine.Format;

namespace Tmem.Engine.Codec;

/// <summary>
/// The LZ4 block format through the page encoder and decoder. Its format is <see cref="Lz4Codec"/>'s: each reads what the other
/// stores.
/// </summary>
internal readonly struct PageLz4Codec : ICodec
{
    public static int Format => PageFormat.Lz4;
    public int Encode(ReadOnlySpan<byte> page, Span<byte> destination) => PageLz4Encoder.Encode(page, destination);

    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page) => PageLz4Decoder.Decode(stored, page) == page.Length;
}
