using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Protocol;

/// <summary>The body of a reply, written straight into memory of the transport. An overflow is a bug, not an outcome.</summary>
internal ref struct ReplyWriter
{
    private readonly Span<byte> _body;

    public ReplyWriter(Span<byte> body)
    {
        _body = body;
        Length = 0;
    }

    /// <summary>Bytes of body so far.</summary>
    public int Length { get; private set; }

    /// <summary>The rest of the reply buffer.</summary>
    public readonly Span<byte> Room => _body[Length..];

    /// <summary>Adds a wire struct.</summary>
    public void Append<T>(in T value) where T : unmanaged
    {
        MemoryMarshal.Write(Room, in value);
        Length += Unsafe.SizeOf<T>();
    }

    /// <summary>Counts bytes that were written into the first <paramref name="limit"/> bytes of <see cref="Room"/>.</summary>
    public void Advance(int length, int limit)
    {
        if ((uint)length > (uint)limit || limit > Room.Length)
            throw new InvalidOperationException($"The file system reported {length} bytes in a buffer of {limit}.");
        Length += length;
    }
}
