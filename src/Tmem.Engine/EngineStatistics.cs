namespace Tmem.Engine;

/// <summary>One pool and its figures.</summary>
/// <param name="Id">The pool.</param>
/// <param name="Owner">The client that owns it.</param>
/// <param name="Options">The options it was created with.</param>
/// <param name="PageSize">Bytes a page.</param>
/// <param name="Statistics">Its figures.</param>
public sealed record PoolSnapshot(PoolId Id, TmemClientId Owner, PoolOptions Options, int PageSize, PoolStatistics Statistics)
{
    /// <summary>
    /// The handles of the last eight pages counted in <see cref="PoolStatistics.CorruptPages"/> since the engine was opened,
    /// latest first. Remedy: flush them, or put them again.
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
    /// tmemd, since the daemon was started, across its workers.
    /// </summary>
    public required long PeakUsedBytes { get; init; }
    /// <summary>The part of <see cref="UsedBytes"/> in spans of page slots.</summary>
    public required long PageSpanBytes { get; init; }
    /// <summary>
    /// The rest of <see cref="UsedBytes"/>: superblock, tables, index, records, process-side structures, ready spans.
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
    /// <summary>The sum of all pools' reserves.</summary>
    public long ReservedBytes { get; init; }
    /// <summary>
    /// The part of <see cref="ReservedBytes"/> that its pools do not hold yet. Persistent pages of other pools find this much
    /// less room than there is.
    /// </summary>
    public long UnmetReserveBytes { get; init; }
    /// <summary>The largest reserve that a new pool can get.</summary>
    public long ReservableBytes { get; init; }
    /// <summary>
    /// The amount by which <see cref="ReservedBytes"/> exceeds what the capacity can give, after a region was opened with a
    /// smaller one: until a reserve is lowered, pools store nothing beyond their reserves, and nothing without one.
    /// </summary>
    public long ExcessReserveBytes { get; init; }
    /// <summary>
    /// Memory that the region held beyond <see cref="UsedBytes"/> because a process read holes of it (a core dump, a debugger),
    /// given back since start.
    /// </summary>
    public long StrayBytesReturned { get; init; }
    /// <summary>
    /// Native memory of this process for pages in flight, outside the store and its capacity: a few pages a thread, and Zstandard
    /// contexts. Shared by all engines of a process.
    /// </summary>
    public long WorkingBytes { get; init; }
    /// <summary>Slots that compaction has moved since start.</summary>
    public required long SlotsMoved { get; init; }
    /// <summary>Spans in use.</summary>
    public required long Spans { get; init; }
    /// <summary>Spans given back to the kernel since start.</summary>
    public required long SpansReturned { get; init; }
    /// <summary>The region's generation: how often it has been attached.</summary>
    public required long Generation { get; init; }
    /// <summary>All pools together, including the counters of destroyed ones.</summary>
    public required PoolStatistics Total { get; init; }
    /// <summary>Each living pool.</summary>
    public required IReadOnlyList<PoolSnapshot> Pools { get; init; }
    /// <summary>Real memory of the contents of dictionaries, in bytes of spans; part of <see cref="MetadataBytes"/>.</summary>
    public long DictionarySpanBytes { get; init; }
    /// <summary>What recompression does and has.</summary>
    public RecompressionStatistics Recompression { get; init; } = new();
    /// <summary>The state of the region's file.</summary>
    public DurabilityStatistics Durability { get; init; } = new();
}
