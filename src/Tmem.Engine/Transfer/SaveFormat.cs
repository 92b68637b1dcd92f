using System.Runtime.InteropServices;

namespace Tmem.Engine.Transfer;

/// <summary>
/// The stream of a saved pool or client. Little-endian; reserved fields are 0 and anything else in them is refused.
/// <code>
/// head       16 bytes    magic "TMEMSAVE" : 64   version : 32   0 : 32
/// then records of 48 bytes, each told by its first word:
/// 1 pool                 what a pool is, and a checksum of that; its pages follow
/// 2 page                 handle, length, format and checksum; then the page as it was stored, or the word of a same-filled page
/// 3 trailer              counts, and the XXH3-64 of every byte before that sum
/// </code>
/// Pages are saved as they are stored, compressed, so that neither side compresses. A stream ends with its trailer; what follows
/// is not read.
/// </summary>
internal static class SaveFormat
{
    /// <summary>"TMEMSAVE", little-endian.</summary>
    public const ulong Magic = 0x45564153_4D454D54;

    /// <summary>Raised whenever an older program could misread what a newer one wrote.</summary>
    public const uint Version = 1;

    public const int RecordBytes = 48;

    /// <summary>The format of a page of one repeated word; the word follows. Slots have formats 0 to 7.</summary>
    public const uint FillFormat = 8;

    /// <summary>Bytes of a record before its final checksum.</summary>
    public const int Summed = RecordBytes - sizeof(ulong);
}

internal enum RecordKind : uint
{
    Pool = 1,
    Page = 2,
    Trailer = 3,
}

[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct SaveHead
{
    public ulong Magic;
    public uint Version;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential, Size = SaveFormat.RecordBytes)]
internal struct SavedPool
{
    public RecordKind Kind;
    public uint Flags;
    public uint Policy;
    public uint Reserved0;
    public long LimitBytes;
    public ulong SharedLow;
    public ulong SharedHigh;
    /// <summary>XXH3-64 of the bytes before it, so that a damaged limit is not taken for the pool's.</summary>
    public ulong Checksum;
}

[StructLayout(LayoutKind.Sequential, Size = SaveFormat.RecordBytes)]
internal struct SavedPage
{
    public RecordKind Kind;
    public uint Index;
    public ulong Object0;
    public ulong Object1;
    public ulong Object2;
    /// <summary>Bytes that follow this record.</summary>
    public int Length;
    /// <summary>How to read the bytes, as in the page's descriptor.</summary>
    public uint Format;
    /// <summary>As in the slot: of the stored bytes, their length and their format. 0 for a same-filled page.</summary>
    public uint Checksum;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential, Size = SaveFormat.RecordBytes)]
internal struct SaveTrailer
{
    public RecordKind Kind;
    public uint Pools;
    public long Pages;
    /// <summary>Bytes before the trailer.</summary>
    public long Bytes;
    public ulong Reserved0;
    public ulong Reserved1;
    public ulong Checksum;
}
