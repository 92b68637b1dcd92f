namespace Tmem.Engine.Format;

/// <summary>
/// The layout of a region. Everything inside is an offset from the region's start, never a pointer, so a region means the same
/// wherever it is mapped. docs/region-format.md draws it.
/// <code>
/// 0                superblock (4 KiB), with the table of dictionaries in its second half
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

    /// <summary>
    /// Raised whenever an older program could misread what a newer one wrote. A new region has the version before, which has no
    /// dictionaries and no ages of pages, until the first pass of a recompressor: so it serves an older program as long as it
    /// can.
    /// </summary>
    public const uint Version = 6;

    /// <summary>The version without dictionaries and ages.</summary>
    public const uint PlainVersion = 5;

    public static bool Serves(uint version) => version is PlainVersion or Version;

    public const int PageSize = 4096;
    public const int LargestPageSize = 16 * PageSize;

    /// <summary>
    /// 1 MiB. A slab loses slack to slots that do not divide it and to raw pages (4,112 bytes), the less the larger it is: over
    /// the pages of real memory 2.0 % at 64 KiB, 0.6 % at 256 KiB, 0.2 % at 1 MiB. A larger span costs only address space,
    /// because its memory is populated as its slots are used. Slots are counted in 16 bits, which limits it to 2 MiB.
    /// </summary>
    public const int SpanShift = 20;
    public const int SpanBytes = 1 << SpanShift;

    /// <summary>Superblock and the tables of fixed size.</summary>
    public const int TablesBytes = 64 << 10;

    /// <summary>An exchange under way, in the superblock's page.</summary>
    public const int ExchangeOffset = 1024;

    /// <summary>The table of dictionaries: the second half of the superblock's page.</summary>
    public const int DictionaryTableOffset = 2048;
    public const int MaximumDictionaries = (PageSize - DictionaryTableOffset) / DictionaryEntry.Bytes;

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

    /// <summary>The spans of a region of that size, tables included.</summary>
    public const long MaximumSpans = (MaximumBytes - TablesBytes - PageSize) / (SpanBytes + SpanEntryBytes);

    /// <summary>
    /// Spans for a capacity: each kind and class may have one that is hardly begun, which takes a place and almost no memory.
    /// </summary>
    public static long SpansFor(long capacity) => (capacity + SpanBytes - 1) / SpanBytes + PartialSpans;

    /// <summary>The highest capacity that a number of spans serves.</summary>
    public static long CapacityOf(long spans) => (spans - PartialSpans) * SpanBytes;

    private static int PartialSpans => 3 * SizeClasses.Count;

    /// <summary>Bytes before the first slab span.</summary>
    public static long HeaderBytes(long spans) =>
        TablesBytes + ((spans * SpanEntryBytes + PageSize - 1) & ~(PageSize - 1L));
}
