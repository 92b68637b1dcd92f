using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Tmem.Engine.Transfer;

/// <summary>
/// The stream of a transfer, its position, and the checksum of the bytes transferred. It reads no byte more than requested, so
/// that whatever follows the trailer stays in the stream; a caller whose stream is slow in small pieces adds a buffer.
/// </summary>
internal sealed class SummedStream(Stream stream)
{
    private readonly XxHash3 _sum = new();

    public long Position { get; private set; }

    public ulong Sum => _sum.GetCurrentHashAsUInt64();

    public void Write(ReadOnlySpan<byte> bytes)
    {
        _sum.Append(bytes);
        stream.Write(bytes);
        Position += bytes.Length;
    }

    public void Write<T>(in T record) where T : unmanaged => Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in record)));

    public void Flush() => stream.Flush();

    /// <summary>Fills a span; false if the stream ends first. <see cref="Add"/> then includes the bytes in the sum.</summary>
    public bool TryRead(Span<byte> bytes)
    {
        var read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        Position += read;
        return read == bytes.Length;
    }

    public void Add(ReadOnlySpan<byte> bytes) => _sum.Append(bytes);
}
