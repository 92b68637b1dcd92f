using System.Runtime.InteropServices;

namespace Tmem.Engine.Region;

/// <summary>
/// Where things lie in a region. Everything inside is an offset from the region's start, never a pointer, so a region means the
/// same wherever it is mapped. docs/region-format.md draws it.
/// <code>
/// 0                superblock (4 KiB)
/// 4 KiB            client table: 256 entries of 16 bytes
/// 8 KiB            sharing table: 170 rows of 24 bytes
/// 12 KiB           pool table: 832 entries of 64 bytes
/// 64 KiB           span table: one 32-byte entry a span, for as many spans as the region can ever have
/// ...              spans of 1 MiB: slabs of equal slots
/// </code>
/// </summary>
internal static class RegionLayout
{
    /// <summary>"TMEMREGN", little-endian.</summary>
    public const ulong Magic = 0x4E4745524D454D54;

    /// <summary>Raised whenever an older program could misread what a newer one wrote.</summary>
    public const uint Version = 5;

    public const int PageSize = 4096;
    public const int LargestPageSize = 16 * PageSize;

    /// <summary>
    /// 1 MiB. What a slab loses to slots that do not divide it and to raw pages (4,112 bytes) falls with its size: over the pages
    /// of real memory 2.0 % at 64 KiB, 0.6 % at 256 KiB, 0.2 % at 1 MiB. It costs address space alone, because a span's memory is
    /// populated as its slots are used. Slots are counted in 16 bits, so it could be no more than 2 MiB.
    /// </summary>
    public const int SpanShift = 20;
    public const int SpanBytes = 1 << SpanShift;

    /// <summary>Superblock and the tables of fixed size.</summary>
    public const int TablesBytes = 64 << 10;

    /// <summary>An exchange under way, in the superblock's page.</summary>
    public const int ExchangeOffset = 1024;

    public const int ClientTableOffset = PageSize;
    public const int MaximumClients = PageSize / 16;

    public const int SharingTableOffset = 2 * PageSize;
    public const int MaximumSharings = PageSize / 24;

    public const int PoolTableOffset = 3 * PageSize;
    public const int MaximumPools = (TablesBytes - PoolTableOffset) / 64;

    public const long SpanTableOffset = TablesBytes;
    public const int SpanEntryBytes = 32;

    /// <summary>A slot's header names its leaf in units of 8 bytes below 2^42: 32 TiB.</summary>
    public const long MaximumBytes = 1L << 45;

    /// <summary>Spans of a region of that size, tables included.</summary>
    public const long MaximumSpans = (MaximumBytes - TablesBytes - PageSize) / (SpanBytes + SpanEntryBytes);

    /// <summary>
    /// Spans for a capacity: each kind and class may have one that is hardly begun, which takes a place and no memory to speak
    /// of.
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
    /// <summary>How often the region has been opened, not counting what left its file as it was.</summary>
    public long Generation;
    /// <summary>The embedder's root record.</summary>
    public ulong RecordRoot;
    /// <summary>Earlier programs noted an orderly close here, and nobody ever asked.</summary>
    private readonly ulong _reserved;
    /// <summary>Spans at or above this one have never held memory. A hint: attaching believes it only upwards.</summary>
    public long HighWater;
    /// <summary>Bit n - 1: restore n is under way, and the pools that name it are not there yet.</summary>
    public ulong OpenRestores;
}

/// <summary>One place of the client table: 16 bytes. A client without one has the defaults.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct ClientEntry
{
    /// <summary>The client's number; 0 while the place is free.</summary>
    public ulong LivingId;
    /// <summary>Weight, limit and whether it is frozen, in one word.</summary>
    public ulong Settings;
}

/// <summary>One row of the sharing table: what a client is to a shared id. 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
internal struct SharingEntry
{
    public ulong Low;
    public ulong High;
    /// <summary>Client : 32, state : 32; 0 while the row is free. Written last.</summary>
    public ulong Word;

    public const uint Authorised = 1;
    public const uint Member = 2;

    public readonly uint Client => (uint)(Word >> 32);
    public readonly uint State => (uint)Word;
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
    public ulong SharedLow;
    public ulong SharedHigh;
    /// <summary>The restore this pool comes from, while it is under way; 0 otherwise.</summary>
    public uint Restore;
    /// <summary>
    /// Memory the pool is guaranteed, in bytes; 0 for none, as in regions made before there were reserves. One store changes it.
    /// </summary>
    public long ReserveBytes;

    private const uint PolicyRefuseIncompressible = 1;
    /// <summary>Where the codec of new pages stands in <see cref="Policy"/>, eight bits of it.</summary>
    private const int PolicyCodecShift = 8;
    private const uint PolicyCodecMask = 0xFF << PolicyCodecShift;

    /// <summary>The policy word of a pool's options.</summary>
    public static uint PolicyOf(in PoolOptions options) =>
        (options.RefuseIncompressible ? PolicyRefuseIncompressible : 0) | (uint)options.Codec << PolicyCodecShift;

    /// <summary>False for bits no program of this version writes.</summary>
    public static bool IsKnownPolicy(uint policy) => (policy & ~(PolicyRefuseIncompressible | PolicyCodecMask)) == 0;

    /// <summary>The options that were written as these words.</summary>
    public static PoolOptions Options(uint flags, uint policy, long limitBytes, SharedId shared) => new(
        (PoolFlags)flags, limitBytes, (policy & PolicyRefuseIncompressible) != 0,
        (TmemCodec)((policy & PolicyCodecMask) >> PolicyCodecShift), shared);
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
/// One span of the span table. The first word is the truth (written before any slot of the span is committed); the others are
/// derived and made anew when a process attaches.
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

    /// <summary>In the list of empty spans that keep their memory.</summary>
    Ready = 253,

    /// <summary>In the list of empty spans whose memory was given back.</summary>
    Returned = 254,

    /// <summary>In no list: the compactor empties it.</summary>
    Isolated = 255,
}
