namespace Tmem.Engine;

/// <summary>
/// The outcome of an operation. Every expected outcome is a value of this type; exceptions are for misuse and start-up.
/// </summary>
public enum TmemStatus : byte
{
    /// <summary>Done: stored, copied, flushed, created.</summary>
    Ok = 0,

    /// <summary>Nothing is stored under this handle.</summary>
    Miss,

    /// <summary>The store is at its capacity and nothing could be evicted.</summary>
    NoRoom,

    /// <summary>The pool is at its own limit.</summary>
    PoolLimit,

    /// <summary>The page does not shrink, and the pool's policy refuses such pages.</summary>
    Incompressible,

    /// <summary>No pool has this id (never created, or destroyed since).</summary>
    NoSuchPool,

    /// <summary>The pool belongs to another client.</summary>
    ForeignClient,

    /// <summary>The object id is all ones, which the ABI reserves.</summary>
    InvalidObjectId,

    /// <summary>Reserved pool flags are set, or flags that contradict each other.</summary>
    InvalidFlags,

    /// <summary>The pool flags ask for an unsupported page size.</summary>
    UnsupportedPageSize,

    /// <summary>The pool options name an unknown codec.</summary>
    UnsupportedCodec,

    /// <summary>The buffer is not exactly one page of the pool, or a range of pages is reversed.</summary>
    InvalidArgument,

    /// <summary>A part of a page is empty or reaches beyond the page.</summary>
    InvalidRange,

    /// <summary>The two pools differ in kind, page size or policy, so a page of one does not fit the other.</summary>
    PoolMismatch,

    /// <summary>The operation needs pages of one length, and the pool's are precompressed.</summary>
    Precompressed,

    /// <summary>The pool table is full.</summary>
    TooManyPools,

    /// <summary>The stored page fails its checksum or does not unpack. It is counted and never returned as data.</summary>
    Corrupt,

    /// <summary>The client that owns the pool is at its limit, and has no ephemeral pages left to evict.</summary>
    ClientLimit,

    /// <summary>The client is frozen: nothing is stored.</summary>
    Frozen,

    /// <summary>The client was not authorised to share this id.</summary>
    NotAuthorised,

    /// <summary>The shared pool has another kind or page size than requested.</summary>
    KindMismatch,

    /// <summary>The shared id is all ones, or was given without the SHARED flag.</summary>
    InvalidSharedId,

    /// <summary>A pool of this shared id exists and cannot be joined: one of the two is being restored.</summary>
    SharedIdInUse,

    /// <summary>The table of clients, or that of authorisations, is full.</summary>
    TableFull,

    /// <summary>The region's changes could not be made durable: the disk is full. Another sync tries all of it again.</summary>
    DiskFull,

    /// <summary>The region's changes could not be made durable: the disk fails. Another sync tries all of it again.</summary>
    DiskError,

    /// <summary>
    /// The remaining room is reserved for other pools; or a reserve does not fit beside what is stored and reserved.
    /// </summary>
    Reserved,

    /// <summary>
    /// The region's file has been removed, or replaced by another: what is written to it is gone with the last process that has
    /// it open.
    /// </summary>
    FileRemoved,
}
