using System.Runtime.InteropServices;

namespace Tmem.Engine.Region;

/// <summary>
/// Where things lie in a region. Everything inside is an offset from the region's start, never a pointer, so a region means the same
/// wherever it is mapped. docs/region-format.md draws it.
/// <code>
/// 0                superblock (4 KiB), then the pool table: 960 entries of 64 bytes
/// 64 KiB           span table: one 32-byte entry a span, for as many spans as the region can ever have
/// ...              spans of 256 KiB: slabs of equal slots
/// </code>
/// </summary>
internal static class RegionLayout
{
    /// <summary>"TMEMREGN", little-endian.</summary>
    public const ulong Magic = 0x4E4745524D454D54;

    /// <summary>Raised whenever an older program could misread what a newer one wrote.</summary>
    public const uint Version = 2;

    public const int PageSize = 4096;
    public const int LargestPageSize = 16 * PageSize;

    /// <summary>
    /// 256 KiB. What a slab loses to slots that do not divide it and to raw pages (4,112 bytes) falls with its size: over the pages of real
    /// memory 2.0 % at 64 KiB, 0.6 % at 256 KiB. It costs address space alone, because a span's memory is populated as its slots are used.
    /// </summary>
    public const int SpanShift = 18;
    public const int SpanBytes = 1 << SpanShift;

    /// <summary>Superblock and pool table.</summary>
    public const int TablesBytes = 64 << 10;
    /// <summary>An exchange under way, in the superblock's page.</summary>
    public const int ExchangeOffset = 1024;
    public const int PoolTableOffset = PageSize;
    public const int MaximumPools = (TablesBytes - PoolTableOffset) / 64;

    public const long SpanTableOffset = TablesBytes;
    public const int SpanEntryBytes = 32;

    /// <summary>References are in units of 16 bytes below 2^44, so a region ends below 256 TiB; leaf references (8 bytes) halve that.</summary>
    public const long MaximumBytes = 1L << 46;

    /// <summary>
    /// Spans for a capacity: each kind and class may have one that is hardly begun, which takes a place and no memory to speak of.
    /// </summary>
    public static long SpansFor(long capacity) => (capacity + SpanBytes - 1) / SpanBytes + PartialSpans;

    /// <summary>The highest capacity that a number of spans serves.</summary>
    public static long CapacityOf(long spans) => (spans - PartialSpans) * SpanBytes;

    private static int PartialSpans => 3 * SizeClasses.Count;

    /// <summary>Bytes before the first slab span.</summary>
    public static long HeaderBytes(long spans) =>
        TablesBytes + ((spans * SpanEntryBytes + PageSize - 1) & ~(PageSize - 1L));
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
    /// <summary>Spans at or above this one have never held memory. A hint: attaching believes it only upwards.</summary>
    public long HighWater;
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

    /// <summary>Pages of the span that hold memory, from its start.</summary>
    public ushort Present;
    private readonly uint _reserved0;

    /// <summary>Slots in use.</summary>
    public ushort Live;
    /// <summary>Slots at or above this one have never been used.</summary>
    public ushort Bump;
    /// <summary>First free slot + 1 below <see cref="Bump"/>; 0 is none. The chain goes on in the slots.</summary>
    public ushort FreeHead;
    /// <summary>Which list of its class the span stands in.</summary>
    public SpanList List;
    private readonly byte _reserved1;
    /// <summary>Neighbours in that list (or in the list of ready or returned spans), as span + 1; 0 is none.</summary>
    public uint Next;
    public uint Previous;
    private readonly ulong _reserved2;
}

/// <summary>The lists of a class: spans with free slots by how many of their slots are in use.</summary>
internal enum SpanList : byte
{
    /// <summary>In no list: full.</summary>
    None = 0,
    Quarter = 1,
    Half = 2,
    ThreeQuarters = 3,
    NearlyFull = 4,

    /// <summary>In no list: the compactor empties it.</summary>
    Isolated = 255,
}
