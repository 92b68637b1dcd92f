using System.Runtime.InteropServices;

namespace Tmem.Engine.Region;

/// <summary>
/// Where things lie in a region. Everything inside is an offset from the region's start, never a pointer, so a region means the same
/// wherever it is mapped. docs/region-format.md draws it.
/// <code>
/// 0                superblock (4 KiB), then the pool table: 960 entries of 64 bytes       = one span
/// 64 KiB           span table: one 32-byte entry a span, for as many spans as the region can ever have
/// ...              spans of 64 KiB: slabs of equal slots
/// </code>
/// </summary>
internal static class RegionLayout
{
    /// <summary>"TMEMREGN", little-endian.</summary>
    public const ulong Magic = 0x4E4745524D454D54;

    /// <summary>Raised whenever an older program could misread what a newer one wrote.</summary>
    public const uint Version = 1;

    public const int PageSize = 4096;
    public const int SpanShift = 16;
    public const int SpanBytes = 1 << SpanShift;

    public const int PoolTableOffset = PageSize;
    public const int MaximumPools = (SpanBytes - PoolTableOffset) / 64;

    public const long SpanTableOffset = SpanBytes;
    public const int SpanEntryBytes = 32;

    /// <summary>References are in units of 16 bytes below 2^44, so a region ends below 256 TiB; leaf references (8 bytes) halve that.</summary>
    public const long MaximumBytes = 1L << 46;

    /// <summary>Bytes before the first slab span, a whole number of spans.</summary>
    public static long HeaderBytes(long spans) =>
        SpanBytes + ((spans * SpanEntryBytes + SpanBytes - 1) & ~(SpanBytes - 1L));
}

/// <summary>The first bytes of a region.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Superblock
{
    public ulong Magic;
    public uint Version;
    public uint SpanBytes;
    /// <summary>Slab spans the span table has entries for.</summary>
    public long SpanCount;
    /// <summary>How often the region has been opened.</summary>
    public long Generation;
    /// <summary>The embedder's root record.</summary>
    public ulong RecordRoot;
    /// <summary>1 after an orderly close, 0 while in use. Information only: attaching never depends on it.</summary>
    public ulong Closed;
}

/// <summary>One place of the pool table: 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct PoolEntry
{
    /// <summary>The pool's id while it lives; 0 otherwise. One store makes a pool exist, one store ends it.</summary>
    public ulong LivingId;
    /// <summary>Uses of this place so far; the next pool here gets the next number, so that no id ever comes back.</summary>
    public uint Uses;
    public uint Flags;
    public uint Owner;
    public uint Policy;
    public long LimitBytes;

    public const uint PolicyRefuseIncompressible = 1;
    /// <summary>Where the codec of new pages stands in <see cref="Policy"/>, eight bits of it.</summary>
    public const int PolicyCodecShift = 8;
}

/// <summary>What a span is used for. Part of the region's format.</summary>
internal enum SpanKind : byte
{
    Free = 0,
    PersistentPages = 1,
    EphemeralPages = 2,
    Nodes = 3,
    Objects = 4,
    Records = 5,
}

/// <summary>
/// One span of the span table. The first word is the truth (written before any slot of the span is committed); the others are derived
/// and made anew when a process attaches.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.SpanEntryBytes)]
internal struct SpanEntry
{
    public SpanKind Kind;
    public byte Class;
    private readonly ushort _reserved0;
    private readonly uint _reserved1;

    /// <summary>Slots in use.</summary>
    public ushort Live;
    /// <summary>Slots at or above this one have never been used.</summary>
    public ushort Bump;
    /// <summary>First free slot + 1 below <see cref="Bump"/>; 0 is none. The chain goes on in the slots.</summary>
    public ushort FreeHead;
    /// <summary>1 while the span stands in its class's list of spans with free slots.</summary>
    public ushort Listed;
    /// <summary>Neighbours in that list (or in the list of ready spans), as span + 1; 0 is none.</summary>
    public uint Next;
    public uint Previous;
    private readonly ulong _reserved2;
}
