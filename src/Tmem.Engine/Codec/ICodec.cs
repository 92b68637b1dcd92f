using Tmem.Engine.Format;

namespace Tmem.Engine.Codec;

/// <summary>A page codec: a struct, so that generic code is specialised for it and calls it directly.</summary>
internal interface ICodec
{
    /// <summary>The format it writes: one of <see cref="PageFormat"/>.</summary>
    static abstract int Format { get; }

    /// <summary>Compresses a page. Returns the length, or 0 if it does not fit into <paramref name="destination"/>.</summary>
    int Encode(ReadOnlySpan<byte> page, Span<byte> destination);

    /// <summary>
    /// Unpacks to exactly <paramref name="page"/>'s length. False for anything else; never reads or writes outside the spans.
    /// </summary>
    bool Decode(ReadOnlySpan<byte> stored, Span<byte> page);
}
