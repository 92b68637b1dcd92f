namespace Tmem.Engine.Codec;

/// <summary>
/// The LZ4 block format through the page encoder and decoder. Its number and name are <see cref="Lz4Codec"/>'s, because the format is: what
/// either stores the other reads.
/// </summary>
internal readonly struct PageLz4Codec : ICodec
{
    public static int Id => Lz4Codec.Id;
    public static string Name => Lz4Codec.Name;

    public int Encode(ReadOnlySpan<byte> page, Span<byte> destination) => PageLz4Encoder.Encode(page, destination);

    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page) => PageLz4Decoder.Decode(stored, page) == page.Length;
}
