namespace Tmem.Control.Messages;

/// <summary>The result of <c>status</c>. Sizes in bytes.</summary>
internal sealed record StatusReply
{
    /// <summary>Of the worker, which serves.</summary>
    public required string Version { get; init; }
    /// <summary>The commit that it was built from; null if it does not know.</summary>
    public string? Commit { get; init; }
    /// <summary>The process that users know as the daemon: the keeper, or the worker while there is no keeper.</summary>
    public required int Pid { get; init; }
    public required ProcessFigures Processes { get; init; }
    public required string MountPoint { get; init; }
    /// <summary>
    /// The minor number of the mount's device (the major one is 0); -1 if unknown. It is the same in every mount namespace,
    /// unlike the paths.
    /// </summary>
    public int Connection { get; init; } = -1;
    public required string SocketPath { get; init; }
    /// <summary>The region's file, or its kind ("memory").</summary>
    public required string Region { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required double UptimeSeconds { get; init; }
    public required int Threads { get; init; }
    /// <summary>The codec of new pages; null: each pool's own.</summary>
    public string? Codec { get; init; }
    /// <summary>What else the worker was told; null from a daemon that does not tell.</summary>
    public RunningSettings? Settings { get; init; }
    public required int Pools { get; init; }
    public required StoreFigures Store { get; init; }
    /// <summary>Why pools without a reserve store nothing; null if the capacity has room for all reserves.</summary>
    public ReserveExcess? ReserveExcess { get; init; }
    /// <summary>All pools together, counters of destroyed ones included.</summary>
    public required PoolFigures Total { get; init; }
}

/// <summary>Settings that a worker runs with, as docs/settings.md has them.</summary>
internal sealed record RunningSettings
{
    /// <summary>Microseconds.</summary>
    public required int Spin { get; init; }
    public required LogWish Log { get; init; }
    /// <summary>Seconds.</summary>
    public required int SyncInterval { get; init; }
    public required bool HugePages { get; init; }
    /// <summary>Percent of a processor for recompression; null from a daemon that does not tell.</summary>
    public int? Recompress { get; init; }
    /// <summary>The level of Zstandard for that.</summary>
    public int? RecompressLevel { get; init; }
    /// <summary>The group whose members may ask for figures; null for none.</summary>
    public uint? SocketGroup { get; init; }
}

/// <summary>The daemon's processes, and the fate of earlier ones.</summary>
internal sealed record ProcessFigures
{
    /// <summary>The worker.</summary>
    public required int WorkerPid { get; init; }
    /// <summary>The stand-by; 0: none yet, so a worker would be started when needed.</summary>
    public int StandbyPid { get; init; }
    /// <summary>The keeper; 0: none, so the death of the worker loses the mount.</summary>
    public required int KeeperPid { get; init; }
    /// <summary>
    /// The keeper's version, and its commit behind a "+": an upgrade replaces the worker alone. Null if there is no keeper, or it
    /// does not tell.
    /// </summary>
    public string? KeeperVersion { get; init; }
    /// <summary>Workers that died and were replaced.</summary>
    public required int Restarts { get; init; }
    /// <summary>
    /// How often all processes had died and a supervisor, which had kept the descriptors, started the daemon again; each is a
    /// restart too.
    /// </summary>
    public int Revivals { get; init; }
    /// <summary>Workers that were replaced on purpose.</summary>
    public required int Upgrades { get; init; }
    /// <summary>The last death and its cause, in words.</summary>
    public string? LastDeath { get; init; }
    public DateTimeOffset? LastDeathAt { get; init; }
    /// <summary>Why the last upgrade failed; null if it did not.</summary>
    public string? UpgradeProblem { get; init; }

    /// <summary>The file that the worker's program was copied from.</summary>
    public string? Program { get; init; }
    /// <summary>What makes swapping to this daemon dangerous; null if nothing does.</summary>
    public SwapDanger? SwapDanger { get; init; }
    /// <summary>Managed memory that the keeper has allocated while keeping, in bytes: 0, as it allocates none.</summary>
    public long KeeperAllocatedBytes { get; init; }
}

/// <summary>Why swapping to a daemon is dangerous.</summary>
/// <param name="What">What is wrong: clauses without a full stop.</param>
/// <param name="Remedy">What to do about it.</param>
internal sealed record SwapDanger(string What, string Remedy);

/// <summary>The consequence of opening a store with less capacity than its pools' reserves.</summary>
/// <param name="What">What is wrong: clauses without a full stop.</param>
/// <param name="Remedy">What to do about it.</param>
internal sealed record ReserveExcess(string What, string Remedy);

/// <summary>Memory of the whole store, in bytes unless named otherwise; as in the engine's EngineStatistics.</summary>
internal sealed record StoreFigures
{
    public required long CapacityBytes { get; init; }
    public required long UsedBytes { get; init; }
    public required long PeakUsedBytes { get; init; }
    public required long PageSpanBytes { get; init; }
    public required long MetadataBytes { get; init; }
    public required long ReadySpanBytes { get; init; }
    public required long RecordSpanBytes { get; init; }
    public long DictionarySpanBytes { get; init; }
    public required long SlackBytes { get; init; }
    /// <summary>Memory that reads of the region's holes had allocated, given back.</summary>
    public long StrayBytesReturned { get; init; }
    /// <summary>Native memory of the worker for pages in flight, beside the store.</summary>
    public long WorkingBytes { get; init; }
    /// <summary>The pools' reserves.</summary>
    public long ReservedBytes { get; init; }
    /// <summary>The part of the reserves that the pools do not hold yet.</summary>
    public long UnmetReserveBytes { get; init; }
    /// <summary>The largest reserve that a new pool can have.</summary>
    public long ReservableBytes { get; init; }
    /// <summary>By how much the reserves exceed the capacity.</summary>
    public long ExcessReserveBytes { get; init; }
    public required long SlotsMoved { get; init; }
    public required long Spans { get; init; }
    public required long SpansReturned { get; init; }
    public required long Generation { get; init; }
    /// <summary>A daemon of a version that does not recompress says nothing of it.</summary>
    public RecompressionFigures Recompression { get => field ?? new(); init; }
    public DurabilityFigures Durability { get => field ?? new(); init; }
}

/// <summary>What was made durable in the region's file; as in the engine's DurabilityStatistics.</summary>
internal sealed record DurabilityFigures
{
    public long Checkpoints { get; init; }
    public long Failures { get; init; }
    public bool LastFailed { get; init; }
    public long BytesBehind { get; init; }
    /// <summary>Removed or replaced: all that is stored is gone with the daemon.</summary>
    public bool FileRemoved { get; init; }
    /// <summary>Its name now, or "inode N", if its old one no longer leads to it.</summary>
    public string? FileMovedTo { get; init; }
    public long Unquiet { get; init; }
    public string Tracking { get; init; } = "none";
    public long Pages { get; init; }
    public long LongestStandstillMicroseconds { get; init; }
}

/// <summary>The counters of one pool, or of all together; as in the engine's PoolStatistics.</summary>
internal sealed record PoolFigures
{
    public required long Pages { get; init; }
    public required long Objects { get; init; }
    public required long OriginalBytes { get; init; }
    public required long CompressedBytes { get; init; }
    public required long SlotBytes { get; init; }
    public required long IndexBytes { get; init; }
    public long RecordBytes { get; init; }
    public required long SameFilledPages { get; init; }
    public required long RawPages { get; init; }
    public long ZstdPages { get; init; }
    public long ZstdBytes { get; init; }
    public long DictionaryPages { get; init; }
    public long DictionaryBytes { get; init; }
    public required long Puts { get; init; }
    public required long PutsStored { get; init; }
    public required long PutsReplaced { get; init; }
    public required long PutsNoRoom { get; init; }
    public long PutsReserved { get; init; }
    public required long PutsPoolLimit { get; init; }
    public required long PutsClientLimit { get; init; }
    public required long PutsFrozen { get; init; }
    public required long PutsIncompressible { get; init; }
    public required long Gets { get; init; }
    public required long GetHits { get; init; }
    public required long GetMisses { get; init; }
    public required long PageFlushesFound { get; init; }
    public required long PageFlushesNotFound { get; init; }
    public required long ObjectFlushesFound { get; init; }
    public required long ObjectFlushesNotFound { get; init; }
    public required long PagesFlushed { get; init; }
    public required long Evictions { get; init; }
    public long EvictionsPoolLimit { get; init; }
    public long EvictionsClientLimit { get; init; }
    public long PagesRecompressed { get; init; }
    public long RecompressionBytes { get; init; }
    public long PagesWarmed { get; init; }
    public required long CorruptPages { get; init; }
}

/// <summary>What recompression does and has; as in the engine's RecompressionStatistics.</summary>
internal sealed record RecompressionFigures
{
    public bool InBackground { get; init; }
    public double ProcessorSeconds { get; init; }
    public IReadOnlyList<DictionaryFigures> Dictionaries { get => field ?? []; init; }
}

/// <summary>A dictionary of the store.</summary>
internal sealed record DictionaryFigures
{
    public required int Number { get; init; }
    /// <summary>The number of the pool that it was trained for; 0: small pools share it.</summary>
    public required uint Pool { get; init; }
    public required DateTimeOffset MadeAt { get; init; }
    public required long Bytes { get; init; }
    /// <summary>Pages that need it.</summary>
    public required long Pages { get; init; }
}

/// <summary>Kind, limit and reserve of a pool.</summary>
internal record PoolDescription
{
    public required string Name { get; init; }
    public required uint Id { get; init; }
    /// <summary>"persistent" or "ephemeral".</summary>
    public required string Kind { get; init; }
    public required int PageSize { get; init; }
    /// <summary>Most real memory that the pool's pages, names and attributes may take; 0: no limit of its own.</summary>
    public required long LimitBytes { get; init; }
    /// <summary>The pool's reserve; 0: none.</summary>
    public long ReserveBytes { get; init; }
    public required bool RefuseIncompressible { get; init; }
    /// <summary>True if "swap on" made it, which nothing done in the mount can feign; else null.</summary>
    public bool? ForSwap { get; init; }
    /// <summary>
    /// Whether there is anything of "swap on" to look for: it was made for swap, is marked, or has a file of that name. Null from
    /// a daemon that does not tell.
    /// </summary>
    public bool? HoldsSwap { get; init; }
    /// <summary>The codec of its new pages; null from a daemon that does not tell.</summary>
    public string? Codec { get; init; }
    /// <summary>The directory's user and group, by number.</summary>
    public uint Owner { get; init; }
    public uint Group { get; init; }
    /// <summary>The directory's permission bits.</summary>
    public uint Mode { get; init; }
}

/// <summary>A row of <c>pool.list</c>: short, so that a thousand pools stay a small reply.</summary>
internal sealed record PoolSummary : PoolDescription
{
    /// <summary>Files with contents.</summary>
    public long Objects { get; init; }
    public required long Pages { get; init; }
    public required long OriginalBytes { get; init; }
    public required long CompressedBytes { get; init; }
    /// <summary>Real memory of slots and index.</summary>
    public required long MemoryBytes { get; init; }
}

/// <summary>The result of <c>pool.list</c>, in name order.</summary>
internal sealed record PoolListReply(IReadOnlyList<PoolSummary> Pools);

/// <summary>The result of <c>pool.show</c>, <c>pool.create</c> and <c>pool.reserve</c>.</summary>
internal sealed record PoolReply : PoolDescription
{
    public required PoolFigures Figures { get; init; }
}

/// <summary>The result of <c>metrics</c>: all that a monitor collects, as of one moment.</summary>
/// <param name="Status">As of <c>status</c>.</param>
/// <param name="Pools">As of <c>pool.show</c>, in name order.</param>
/// <param name="Requests">How long requests took, a kind each.</param>
internal sealed record MetricsReply(StatusReply Status, IReadOnlyList<PoolReply> Pools,
    IReadOnlyList<RequestLatencies> Requests);

/// <summary>
/// How long requests of a kind took, from when one could be read to its answer, since the daemon began; the deaths of its workers
/// change nothing.
/// </summary>
/// <param name="Kind">"read", "write", "discard", "names", "attributes", "sync" or "other".</param>
/// <param name="Nanoseconds">Of all of them.</param>
/// <param name="Counts">Requests of at most 2^k microseconds, for k from 0, that the count before does not have; the last count
/// is of the rest.</param>
internal sealed record RequestLatencies(string Kind, long Nanoseconds, IReadOnlyList<long> Counts);

/// <summary>The result of <c>pool.destroy</c>.</summary>
/// <param name="Name">The destroyed pool.</param>
/// <param name="PagesFreed">How many pages it held when the call began.</param>
internal sealed record PoolDestroyReply(string Name, long PagesFreed);

/// <summary>The result of <c>pool.set</c>.</summary>
/// <param name="Pool">The pool as it is now.</param>
/// <param name="PagesEvicted">Pages of an ephemeral pool that a lower limit has cost.</param>
/// <param name="ExcessBytes">
/// Memory that the pool takes beyond its limit: until it is freed, nothing that makes the pool grow is stored.
/// </param>
internal sealed record PoolSetReply(PoolReply Pool, long PagesEvicted, long ExcessBytes);

/// <summary>The result of <c>pool.empty</c>.</summary>
/// <param name="Name">The pool.</param>
/// <param name="PagesFreed">Pages dropped.</param>
internal sealed record PoolEmptyReply(string Name, long PagesFreed);

/// <summary>The result of <c>pool.recompress</c>.</summary>
/// <param name="Name">The pool.</param>
/// <param name="Pages">Pages stored smaller.</param>
/// <param name="BytesWon">Memory won, of slots.</param>
/// <param name="ProcessorSeconds">Processor time that took.</param>
/// <param name="Pool">The pool as it is now.</param>
internal sealed record PoolRecompressReply(string Name, long Pages, long BytesWon, double ProcessorSeconds, PoolReply Pool);

/// <summary>The result of <c>resize</c>, <c>shrink</c> and <c>compact</c>: what the store takes.</summary>
internal sealed record RoomReply
{
    public required long CapacityBytes { get; init; }
    /// <summary>Memory before and after.</summary>
    public required long UsedBytesBefore { get; init; }
    public required long UsedBytes { get; init; }
    /// <summary>Ephemeral pages that made way.</summary>
    public required long PagesEvicted { get; init; }
    /// <summary>Slots moved to close holes.</summary>
    public required long SlotsMoved { get; init; }
}

/// <summary>The result of <c>sync</c>.</summary>
/// <param name="Region">The region's file, or its kind ("memory"), which has nothing to be written to.</param>
/// <param name="Checkpoints">How often it was written so far.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record SyncReply(string Region, long Checkpoints, double Seconds);

/// <summary>A client of the engine: the owner of pools.</summary>
internal sealed record ClientFigures
{
    public required uint Id { get; init; }
    /// <summary>Its part of ephemeral memory when the store is full, relative to the other clients' weights.</summary>
    public required int Weight { get; init; }
    /// <summary>Most real memory that all its pools may take; 0: no limit.</summary>
    public required long LimitBytes { get; init; }
    /// <summary>Whether its puts are refused, as before a save.</summary>
    public required bool Frozen { get; init; }
    public required int Pools { get; init; }
    public required long Pages { get; init; }
    public required long MemoryBytes { get; init; }
    public required long EphemeralBytes { get; init; }
    /// <summary>What it may hold of all ephemeral memory, by its weight; 0 if it holds none.</summary>
    public required long ShareBytes { get; init; }
}

/// <summary>The result of <c>client.list</c>, by number.</summary>
internal sealed record ClientListReply(IReadOnlyList<ClientFigures> Clients);

/// <summary>The result of <c>check</c>: problems are sentences, none if all is well.</summary>
internal sealed record CheckReply(long PagesChecked, long ObjectsChecked, long SpansChecked, double Seconds,
    IReadOnlyList<string> Problems);

/// <summary>The result of <c>stop</c> when the daemon will end; its process ends soon after.</summary>
/// <param name="Pid">The daemon's process.</param>
/// <param name="LostBytes">Memory of the store whose contents are lost, as the caller wanted rather than a refusal.</param>
internal sealed record StopReply(int Pid, long LostBytes = 0);

/// <summary>
/// The result of <c>upgrade</c> when the new worker is ready and this one retires; <c>status</c> then tells the outcome.
/// </summary>
/// <param name="WorkerPid">The worker that ends.</param>
/// <param name="Upgrades">How many upgrades there were before this one.</param>
internal sealed record UpgradeReply(int WorkerPid, int Upgrades);

/// <summary>The result of <c>adopt</c> when a keeper watches.</summary>
internal sealed record AdoptReply(int KeeperPid);
