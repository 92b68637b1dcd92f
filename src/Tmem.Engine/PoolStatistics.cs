using System.Runtime.CompilerServices;

namespace Tmem.Engine;

/// <summary>
/// A pool's counters, each named as in <see cref="PoolStatistics"/> and, with a small first letter, in messages.
/// </summary>
internal enum Count
{
    // Gauges; the original bytes follow from the pages.
    Pages, Objects, OriginalBytes, CompressedBytes, SlotBytes, IndexBytes, RecordBytes, SameFilledPages, RawPages,
    ZstdPages, ZstdBytes, DictionaryPages, DictionaryBytes,

    // Counters.
    Puts, PutsStored, PutsReplaced, PutsNoRoom, PutsReserved, PutsPoolLimit, PutsClientLimit, PutsFrozen, PutsIncompressible,
    Gets, GetHits, GetMisses,
    PageFlushesFound, PageFlushesNotFound, ObjectFlushesFound, ObjectFlushesNotFound, PagesFlushed,
    Evictions, EvictionsPoolLimit, EvictionsClientLimit,
    PagesRecompressed, RecompressionBytes, PagesWarmed, CorruptPages,
}

/// <summary>
/// Figures of one pool, or of all pools together. Gauges (pages, bytes, objects) are exact when no operation is under way;
/// counters count since the engine was created or attached. The set covers zram's mm_stat and the sysfs files of kztmem.
/// </summary>
public readonly record struct PoolStatistics
{
    private readonly Counts _counts;

    /// <summary>From the counts, in the order of <see cref="Count"/>.</summary>
    internal PoolStatistics(ReadOnlySpan<long> counts) => counts.CopyTo(_counts);

    internal long this[Count what]
    {
        get => _counts[(int)what];
        init => _counts[(int)what] = value;
    }

    /// <summary>Pages stored now.</summary>
    public long Pages { get => this[Count.Pages]; init => this[Count.Pages] = value; }
    /// <summary>Objects that hold at least one page.</summary>
    public long Objects { get => this[Count.Objects]; init => this[Count.Objects] = value; }
    /// <summary>Unpacked size of the stored pages (pages x page size); zram's orig_data_size.</summary>
    public long OriginalBytes { get => this[Count.OriginalBytes]; init => this[Count.OriginalBytes] = value; }
    /// <summary>Compressed size of the stored pages, without headers or rounding; zram's compr_data_size.</summary>
    public long CompressedBytes { get => this[Count.CompressedBytes]; init => this[Count.CompressedBytes] = value; }
    /// <summary>Real memory of the pages' slots, headers and rounding included.</summary>
    public long SlotBytes { get => this[Count.SlotBytes]; init => this[Count.SlotBytes] = value; }
    /// <summary>Real memory of the index (objects and radix nodes).</summary>
    public long IndexBytes { get => this[Count.IndexBytes]; init => this[Count.IndexBytes] = value; }
    /// <summary>Real memory of the records that count against the pool: a file system's names, inodes and attributes.</summary>
    public long RecordBytes { get => this[Count.RecordBytes]; init => this[Count.RecordBytes] = value; }
    /// <summary>Pages held in their descriptor alone because all their words are equal; zram's same_pages.</summary>
    public long SameFilledPages { get => this[Count.SameFilledPages]; init => this[Count.SameFilledPages] = value; }
    /// <summary>Pages stored raw because they do not shrink; zram's huge_pages.</summary>
    public long RawPages { get => this[Count.RawPages]; init => this[Count.RawPages] = value; }
    /// <summary>Pages stored as Zstandard alone: pools of that codec put them so.</summary>
    public long ZstdPages { get => this[Count.ZstdPages]; init => this[Count.ZstdPages] = value; }
    /// <summary>Compressed size of these.</summary>
    public long ZstdBytes { get => this[Count.ZstdBytes]; init => this[Count.ZstdBytes] = value; }
    /// <summary>Pages that recompression has stored as Zstandard with a dictionary.</summary>
    public long DictionaryPages { get => this[Count.DictionaryPages]; init => this[Count.DictionaryPages] = value; }
    /// <summary>Compressed size of these.</summary>
    public long DictionaryBytes { get => this[Count.DictionaryBytes]; init => this[Count.DictionaryBytes] = value; }

    /// <summary>Puts, replaces and partial writes requested.</summary>
    public long Puts { get => this[Count.Puts]; init => this[Count.Puts] = value; }
    /// <summary>The puts that stored their page.</summary>
    public long PutsStored { get => this[Count.PutsStored]; init => this[Count.PutsStored] = value; }
    /// <summary>The stored puts that replaced an older page.</summary>
    public long PutsReplaced { get => this[Count.PutsReplaced]; init => this[Count.PutsReplaced] = value; }
    /// <summary>Puts refused because the store was full.</summary>
    public long PutsNoRoom { get => this[Count.PutsNoRoom]; init => this[Count.PutsNoRoom] = value; }
    /// <summary>Puts refused because the remaining room is reserved for other pools.</summary>
    public long PutsReserved { get => this[Count.PutsReserved]; init => this[Count.PutsReserved] = value; }
    /// <summary>Puts refused at the pool's own limit.</summary>
    public long PutsPoolLimit { get => this[Count.PutsPoolLimit]; init => this[Count.PutsPoolLimit] = value; }
    /// <summary>Puts refused at the limit of the client that owns the pool.</summary>
    public long PutsClientLimit { get => this[Count.PutsClientLimit]; init => this[Count.PutsClientLimit] = value; }
    /// <summary>Puts refused because the client was frozen.</summary>
    public long PutsFrozen { get => this[Count.PutsFrozen]; init => this[Count.PutsFrozen] = value; }
    /// <summary>Puts refused because the page does not shrink and the pool refuses such pages.</summary>
    public long PutsIncompressible { get => this[Count.PutsIncompressible]; init => this[Count.PutsIncompressible] = value; }

    /// <summary>Gets and partial reads requested.</summary>
    public long Gets { get => this[Count.Gets]; init => this[Count.Gets] = value; }
    /// <summary>Gets that found their page.</summary>
    public long GetHits { get => this[Count.GetHits]; init => this[Count.GetHits] = value; }
    /// <summary>Gets that found nothing.</summary>
    public long GetMisses { get => this[Count.GetMisses]; init => this[Count.GetMisses] = value; }

    /// <summary>Page flushes that found a page.</summary>
    public long PageFlushesFound { get => this[Count.PageFlushesFound]; init => this[Count.PageFlushesFound] = value; }
    /// <summary>Page flushes that found nothing.</summary>
    public long PageFlushesNotFound { get => this[Count.PageFlushesNotFound]; init => this[Count.PageFlushesNotFound] = value; }
    /// <summary>Object (and range) flushes that found at least one page.</summary>
    public long ObjectFlushesFound { get => this[Count.ObjectFlushesFound]; init => this[Count.ObjectFlushesFound] = value; }
    /// <summary>Object (and range) flushes that found nothing.</summary>
    public long ObjectFlushesNotFound
    {
        get => this[Count.ObjectFlushesNotFound];
        init => this[Count.ObjectFlushesNotFound] = value;
    }
    /// <summary>Pages dropped by object and range flushes, and by the destruction of pools.</summary>
    public long PagesFlushed { get => this[Count.PagesFlushed]; init => this[Count.PagesFlushed] = value; }

    /// <summary>Ephemeral pages evicted to make room.</summary>
    public long Evictions { get => this[Count.Evictions]; init => this[Count.Evictions] = value; }
    /// <summary>The evictions at the pool's own limit; most others were because the store was full.</summary>
    public long EvictionsPoolLimit { get => this[Count.EvictionsPoolLimit]; init => this[Count.EvictionsPoolLimit] = value; }
    /// <summary>The evictions at the limit of the client that owns the pool.</summary>
    public long EvictionsClientLimit
    {
        get => this[Count.EvictionsClientLimit];
        init => this[Count.EvictionsClientLimit] = value;
    }
    /// <summary>Pages that recompression has stored smaller.</summary>
    public long PagesRecompressed { get => this[Count.PagesRecompressed]; init => this[Count.PagesRecompressed] = value; }
    /// <summary>Real memory won by that, in bytes of slots.</summary>
    public long RecompressionBytes { get => this[Count.RecompressionBytes]; init => this[Count.RecompressionBytes] = value; }
    /// <summary>Recompressed pages that were read so often that they became LZ4 again.</summary>
    public long PagesWarmed { get => this[Count.PagesWarmed]; init => this[Count.PagesWarmed] = value; }
    /// <summary>Operations that met a page whose checksum or encoding was wrong.</summary>
    public long CorruptPages { get => this[Count.CorruptPages]; init => this[Count.CorruptPages] = value; }

    /// <summary>The sum of the two.</summary>
    internal static PoolStatistics Sum(in PoolStatistics one, in PoolStatistics other)
    {
        Span<long> sum = stackalloc long[Counts.Length];
        for (var i = 0; i < sum.Length; i++) sum[i] = one._counts[i] + other._counts[i];
        return new PoolStatistics(sum);
    }

    [InlineArray(Length)]
    private struct Counts : IEquatable<Counts>
    {
        public const int Length = (int)Count.CorruptPages + 1;
        private long _first;

        public readonly bool Equals(Counts other) => ((ReadOnlySpan<long>)this).SequenceEqual(other);
        public override readonly bool Equals(object? obj) => obj is Counts other && Equals(other);
        public override readonly int GetHashCode() => HashCode.Combine(this[0], this[(int)Count.Puts], this[(int)Count.Gets]);
    }
}
