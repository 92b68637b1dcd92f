using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Tmds.Linux;
using Xunit;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A region's file without its holes. It is 700 MiB long and has some hundred KiB: to read and write all of it takes a second,
/// and as much memory.
/// </summary>
internal sealed class SparseFile
{
    private const int Data = 3, Hole = 4; // SEEK_DATA, SEEK_HOLE
    private const int Block = 4096;

    private readonly List<(long At, byte[] Bytes)> _extents = [];
    private readonly long _length;

    private SparseFile(long length) => _length = length;

    public static SparseFile Read(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var descriptor = (int)file.DangerousGetHandle();
        var sparse = new SparseFile(RandomAccess.GetLength(file));
        for (long at = 0; (at = LibC.lseek(descriptor, at, Data)) >= 0;)
        {
            long end = LibC.lseek(descriptor, at, Hole);
            var bytes = new byte[end - at];
            Assert.Equal(bytes.Length, RandomAccess.Read(file, bytes, at));
            sparse._extents.Add((at, bytes));
            at = end;
        }
        return sparse;
    }

    /// <summary>Replaces a file by these contents.</summary>
    public void WriteTo(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.SetLength(file, _length);
        foreach (var (at, bytes) in _extents) RandomAccess.Write(file, bytes, at);
    }

    public ref byte this[long at] => ref Span(at, 1)[0];

    private Span<byte> Span(long at, int length)
    {
        var (start, bytes) = _extents.Find(extent => at >= extent.At && at < extent.At + extent.Bytes.Length);
        if (bytes is null) _extents.Add((start, bytes) = (at / Block * Block, new byte[Block]));
        return bytes.AsSpan((int)(at - start), length);
    }

    public ulong Word(long at) => MemoryMarshal.Read<ulong>(Span(at, sizeof(ulong)));

    /// <summary>Where these bytes are; -1 for nowhere.</summary>
    public long IndexOf(ReadOnlySpan<byte> wanted)
    {
        foreach (var (at, bytes) in _extents)
            if (bytes.AsSpan().IndexOf(wanted) is >= 0 and var found) return at + found;
        return -1;
    }

    /// <summary>The first place, a multiple of 8, of words like these; -1 for none.</summary>
    /// <param name="areThey">Sees all words from a place to the next hole.</param>
    public long Find(Func<ReadOnlySpan<ulong>, bool> areThey)
    {
        foreach (var (at, bytes) in _extents)
        {
            var words = MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan());
            for (var i = 0; i < words.Length; i++)
                if (areThey(words[i..])) return at + 8 * i;
        }
        return -1;
    }

    /// <summary>Of the contents: a hole is the same as zeros.</summary>
    public byte[] Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(_length));
        foreach (var (start, bytes) in _extents)
        {
            for (var at = 0; at < bytes.Length; at += Block)
            {
                var block = bytes.AsSpan(at, Math.Min(Block, bytes.Length - at));
                if (!block.ContainsAnyExcept((byte)0)) continue;
                hash.AppendData(BitConverter.GetBytes(start + at));
                hash.AppendData(block);
            }
        }
        return hash.GetHashAndReset();
    }
}
