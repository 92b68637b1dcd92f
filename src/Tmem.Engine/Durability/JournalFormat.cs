using System.IO.Hashing;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>
/// The redo journal: the pages of one checkpoint, behind the image in the same file. It counts once all of it is there, whatever
/// the order of the writes: its head holds the number of chunks and the hash of their hashes.
/// <code>
/// image length     head                       4 KiB, written last
/// + 4 KiB          chunks, one behind the other:
///                    index                    4 KiB: chunk header, then up to 508 entries: page number &lt;&lt; 1, + 1 for a
/// page of zeros
///                    pages                    those of the entries that are not of zeros
/// </code>
/// When there is no room to apply it, its head is rewritten after each piece that is in its place, and the piece's disk space is
/// released.
/// If a page occurs twice (it changed while it was copied), the last entry counts.
/// </summary>
internal static class JournalFormat
{
    /// <summary>"TMEMJRNL", little-endian.</summary>
    public const ulong HeadMagic = 0x4C4E524A4D454D54;

    /// <summary>"TMEMJRNP", little-endian: the head of a journal being applied in pieces, for want of room.</summary>
    public const ulong PiecesMagic = 0x504E524A4D454D54;

    /// <summary>"TMEMCHNK", little-endian.</summary>
    public const ulong ChunkMagic = 0x4B4E48434D454D54;

    public const int HeadBytes = RegionLayout.PageSize;
    public const int IndexBytes = RegionLayout.PageSize;
    public const int EntriesOffset = 32;
    public const int MostEntries = (IndexBytes - EntriesOffset) / sizeof(ulong);
    public const int MostChunkBytes = IndexBytes + MostEntries * RegionLayout.PageSize;

    public static unsafe ulong* Entries(byte* chunk) => (ulong*)(chunk + EntriesOffset);

    public static int ChunkBytes(in ChunkHeader header) => IndexBytes + header.Stored * RegionLayout.PageSize;

    /// <summary>Hash of a chunk without the word that holds it.</summary>
    public static unsafe ulong HashOf(byte* chunk)
    {
        ref var header = ref *(ChunkHeader*)chunk;
        var kept = header.Hash;
        header.Hash = 0;
        var hash = XxHash3.HashToUInt64(new ReadOnlySpan<byte>(chunk, ChunkBytes(header)));
        header.Hash = kept;
        return hash;
    }

    /// <summary>The hash of a chain of chunks, extended by one.</summary>
    public static ulong Chain(ulong chain, ulong hash) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in hash)), (long)chain);

    /// <summary>
    /// Hash of a head without its last word, which holds it. For a whole journal it ends before the fields for pieces.
    /// </summary>
    public static ulong HashOf(in JournalHead head)
    {
        var words = MemoryMarshal.Cast<JournalHead, ulong>(new ReadOnlySpan<JournalHead>(in head)).ToArray();
        words[HashWord] = 0;
        var counted = head.Magic == PiecesMagic ? words.Length : HashWord + 1;
        return XxHash3.HashToUInt64(MemoryMarshal.AsBytes(words.AsSpan(0, counted)));
    }

    private const int HashWord = 5;
}

/// <summary>The commit record.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct JournalHead
{
    public ulong Magic;
    /// <summary>The checkpoint's number; its chunks carry the same.</summary>
    public ulong Sequence;
    public long ImageBytes;
    public long Chunks;
    /// <summary>The hash of the chunks' hashes, in order.</summary>
    public ulong Chain;
    public ulong Hash;

    // Used with the magic of pieces only; zero in a whole journal's head.

    /// <summary>
    /// The place of the first chunk that is not done. <see cref="Chunks"/> and <see cref="Chain"/> begin with it.
    /// </summary>
    public long First;
    /// <summary>Its entries that are done; their pages count as zeros.</summary>
    public long Done;
    /// <summary>Its hash, with those pages as zeros.</summary>
    public ulong FirstHash;
}

/// <summary>The first bytes of a chunk.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ChunkHeader
{
    public ulong Magic;
    public ulong Sequence;
    public int Entries;
    /// <summary>Entries with a page behind the index.</summary>
    public int Stored;
    public ulong Hash;
}
