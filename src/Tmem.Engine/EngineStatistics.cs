namespace Tmem.Engine;

/// <summary>
/// Figures of one pool, or of all pools together. Gauges (pages, bytes, objects) are exact when nothing is under way; counters
/// count since the engine was created or attached. The set covers zram's mm_stat and the sysfs files of kztmem.
/// </summary>
public readonly record struct PoolStatistics
{
    /// <summary>Pages stored now.</summary>
    public long Pages { get; init; }
    /// <summary>Objects that hold at least one page.</summary>
    public long Objects { get; init; }
    /// <summary>Bytes the stored pages have when unpacked (pages x page size); zram's orig_data_size.</summary>
    public long OriginalBytes { get; init; }
    /// <summary>Bytes of the stored pages as compressed, without headers or rounding; zram's compr_data_size.</summary>
    public long CompressedBytes { get; init; }
    /// <summary>Real memory of the pages' slots, headers and rounding included.</summary>
    public long SlotBytes { get; init; }
    /// <summary>Real memory of the index (objects and radix nodes).</summary>
    public long IndexBytes { get; init; }
    /// <summary>
    /// Real memory of the records that count against the pool: of a file system, its names, inodes and attributes there.
    /// </summary>
    public long RecordBytes { get; init; }
    /// <summary>Pages held in their descriptor alone because all their words are equal; zram's same_pages.</summary>
    public long SameFilledPages { get; init; }
    /// <summary>Pages stored raw because they do not shrink; zram's huge_pages.</summary>
    public long RawPages { get; init; }

    /// <summary>Puts, replaces and writes of a part asked for.</summary>
    public long Puts { get; init; }
    /// <summary>Of those, how many stored their page.</summary>
    public long PutsStored { get; init; }
    /// <summary>Of those stored, how many took the place of an older page.</summary>
    public long PutsReplaced { get; init; }
    /// <summary>Puts refused because the store was full.</summary>
    public long PutsNoRoom { get; init; }
    /// <summary>Puts refused because what room was left is reserved for other pools.</summary>
    public long PutsReserved { get; init; }
    /// <summary>Puts refused at the pool's own limit.</summary>
    public long PutsPoolLimit { get; init; }
    /// <summary>Puts refused at the limit of the client that owns the pool.</summary>
    public long PutsClientLimit { get; init; }
    /// <summary>Puts refused because the client was frozen.</summary>
    public long PutsFrozen { get; init; }
    /// <summary>Puts refused because the page does not shrink and the pool's policy says so.</summary>
    public long PutsIncompressible { get; init; }

    /// <summary>Gets and reads of a part asked for.</summary>
    public long Gets { get; init; }
    /// <summary>Gets that found their page.</summary>
    public long GetHits { get; init; }
    /// <summary>Gets that found nothing.</summary>
    public long GetMisses { get; init; }

    /// <summary>Page flushes that found a page.</summary>
    public long PageFlushesFound { get; init; }
    /// <summary>Page flushes that found nothing.</summary>
    public long PageFlushesNotFound { get; init; }
    /// <summary>Object (and range) flushes that found at least one page.</summary>
    public long ObjectFlushesFound { get; init; }
    /// <summary>Object (and range) flushes that found nothing.</summary>
    public long ObjectFlushesNotFound { get; init; }
    /// <summary>Pages dropped by object and range flushes, and by the destruction of pools.</summary>
    public long PagesFlushed { get; init; }

    /// <summary>Ephemeral pages evicted to make room.</summary>
    public long Evictions { get; init; }
    /// <summary>Operations that met a page whose checksum or encoding was wrong.</summary>
    public long CorruptPages { get; init; }
}

/// <summary>One pool and its figures.</summary>
/// <param name="Id">The pool.</param>
/// <param name="Owner">The client that owns it.</param>
/// <param name="Options">What it was created as.</param>
/// <param name="PageSize">Bytes a page.</param>
/// <param name="Statistics">Its figures.</param>
public sealed record PoolSnapshot(PoolId Id, TmemClientId Owner, PoolOptions Options, int PageSize, PoolStatistics Statistics)
{
    /// <summary>
    /// The handles of the last eight pages counted in <see cref="PoolStatistics.CorruptPages"/>, the latest first, since the
    /// engine was opened. What to do: flush or put them anew.
    /// </summary>
    public IReadOnlyList<PageHandle> RecentCorrupt { get; init; } = [];
}

/// <summary>One snapshot of everything the engine counts.</summary>
public sealed record EngineStatistics
{
    /// <summary>The limit on real memory, metadata included, in bytes.</summary>
    public required long CapacityBytes { get; init; }
    /// <summary>Real memory in use, everything included, in bytes. Never above the capacity.</summary>
    public required long UsedBytes { get; init; }
    /// <summary>
    /// The highest value of <see cref="UsedBytes"/> since the engine was created, attached or resized; zram's mem_used_max. In
    /// tmemd since the daemon was started, whichever of its processes serves.
    /// </summary>
    public required long PeakUsedBytes { get; init; }
    /// <summary>Of <see cref="UsedBytes"/>: spans that hold page slots.</summary>
    public required long PageSpanBytes { get; init; }
    /// <summary>
    /// Of <see cref="UsedBytes"/>: superblock, tables, index, records, process-side structures, spans kept ready.
    /// </summary>
    public long MetadataBytes => UsedBytes - PageSpanBytes;
    /// <summary>Empty spans kept populated for the next allocation, in bytes; part of <see cref="MetadataBytes"/>.</summary>
    public required long ReadySpanBytes { get; init; }
    /// <summary>Real memory of records kept for the embedder (file-system metadata), in bytes of spans.</summary>
    public required long RecordSpanBytes { get; init; }
    /// <summary>
    /// Real memory of slabs that no slot in use takes: holes that compaction can close, and tails that it cannot.
    /// </summary>
    public required long SlackBytes { get; init; }
    /// <summary>What pools are guaranteed, all reserves together.</summary>
    public long ReservedBytes { get; init; }
    /// <summary>
    /// Of <see cref="ReservedBytes"/>: what those pools do not hold yet. Persistent pages of others find this much less room than
    /// there is.
    /// </summary>
    public long UnmetReserveBytes { get; init; }
    /// <summary>The largest reserve that a new pool can have.</summary>
    public long ReservableBytes { get; init; }
    /// <summary>
    /// By how much <see cref="ReservedBytes"/> is more than the capacity can give, after a region was opened with less of it:
    /// until a reserve is lowered, nothing is stored for pools without one, nor beyond one.
    /// </summary>
    public long ExcessReserveBytes { get; init; }
    /// <summary>
    /// Memory that the region had beyond <see cref="UsedBytes"/> because somebody read holes of it (a core dump, a debugger),
    /// given back since start.
    /// </summary>
    public long StrayBytesReturned { get; init; }
    /// <summary>
    /// Native memory of this process for pages on their way, beside the store and its capacity: a few pages a thread, and
    /// contexts of Zstandard. All engines of a process share it.
    /// </summary>
    public long WorkingBytes { get; init; }
    /// <summary>Slots that compaction has moved since start.</summary>
    public required long SlotsMoved { get; init; }
    /// <summary>Spans in use.</summary>
    public required long Spans { get; init; }
    /// <summary>Spans given back to the system since start.</summary>
    public required long SpansReturned { get; init; }
    /// <summary>The region's generation: how often it has been attached.</summary>
    public required long Generation { get; init; }
    /// <summary>All pools together, destroyed ones' counters included.</summary>
    public required PoolStatistics Total { get; init; }
    /// <summary>Each living pool.</summary>
    public required IReadOnlyList<PoolSnapshot> Pools { get; init; }
    /// <summary>What is known of the region's file.</summary>
    public DurabilityStatistics Durability { get; init; } = new();
}
