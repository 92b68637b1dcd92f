using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Tmem.Engine;

/// <summary>Object ids from a program's own keys.</summary>
public readonly partial record struct ObjectId
{
    private const int Bytes = 3 * sizeof(ulong);
    private const int OnStack = 512;

    /// <summary>An id as unique as the GUID: its 128 bits, and 0 in the third word.</summary>
    public ObjectId(Guid key) : this(0, 0, 0)
    {
        Span<ulong> words = stackalloc ulong[2];
        _ = key.TryWriteBytes(MemoryMarshal.AsBytes(words));
        (Word0, Word1) = (words[0], words[1]);
    }

    /// <summary>
    /// The id of a key of any length: the first 192 bits of its SHA-256. Nobody can find two keys with one id, so keys may come
    /// from an adversary. Allocates nothing.
    /// </summary>
    public static ObjectId FromKey(ReadOnlySpan<byte> key)
    {
        Span<ulong> words = stackalloc ulong[SHA256.HashSizeInBytes / sizeof(ulong)];
        _ = SHA256.HashData(key, MemoryMarshal.AsBytes(words));
        var id = new ObjectId(words[0], words[1], words[2]);
        // One in 2^192 keys hashes to the reserved id.
        return id.IsValid ? id : new ObjectId(words[0], words[1], words[3] >> 1);
    }

    /// <summary>As <see cref="FromKey(ReadOnlySpan{byte})"/>, of the key's UTF-8.</summary>
    public static ObjectId FromKey(ReadOnlySpan<char> key)
    {
        var most = Encoding.UTF8.GetMaxByteCount(key.Length);
        var bytes = most <= OnStack ? stackalloc byte[OnStack] : new byte[most];
        return FromKey(bytes[..Encoding.UTF8.GetBytes(key, bytes)]);
    }

    /// <summary>The id from its 24 bytes, least significant first, as <see cref="TryWriteBytes"/> writes them.</summary>
    /// <exception cref="ArgumentException">Not 24 bytes.</exception>
    public ObjectId(ReadOnlySpan<byte> bytes) : this(0, 0, 0)
    {
        if (bytes.Length != Bytes) throw new ArgumentException($"an object id is {Bytes} bytes, and these are {bytes.Length}",
            nameof(bytes));
        Word0 = MemoryMarshal.Read<ulong>(bytes);
        Word1 = MemoryMarshal.Read<ulong>(bytes[sizeof(ulong)..]);
        Word2 = MemoryMarshal.Read<ulong>(bytes[(2 * sizeof(ulong))..]);
    }

    /// <summary>
    /// Writes the id's 24 bytes, least significant first. False, with nothing written, if the span is too short.
    /// </summary>
    public bool TryWriteBytes(Span<byte> bytes)
    {
        if (bytes.Length < Bytes) return false;
        MemoryMarshal.Write(bytes, Word0);
        MemoryMarshal.Write(bytes[sizeof(ulong)..], Word1);
        MemoryMarshal.Write(bytes[(2 * sizeof(ulong))..], Word2);
        return true;
    }
}
