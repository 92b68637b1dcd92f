namespace Tmem.Engine;

/// <summary>
/// What became of an operation. Every expected outcome is a value of this type; exceptions are for misuse and start-up.
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

    /// <summary>The pool flags ask for a page size this engine does not serve.</summary>
    UnsupportedPageSize,

    /// <summary>The pool options name a codec this engine does not have.</summary>
    UnsupportedCodec,

    /// <summary>The buffer is not exactly one page of the pool, or a range of pages is reversed.</summary>
    InvalidArgument,

    /// <summary>A part of a page is empty or reaches beyond the page.</summary>
    InvalidRange,

    /// <summary>The two pools differ in kind, page size or policy, so a page of the one is none of the other.</summary>
    PoolMismatch,

    /// <summary>The operation needs pages of one length, and the pool's are precompressed.</summary>
    Precompressed,

    /// <summary>Every place of the pool table is taken.</summary>
    TooManyPools,

    /// <summary>The stored page fails its checksum or does not decode. It is counted and never returned as data.</summary>
    Corrupt,

    /// <summary>What is in the region's memory could not be made durable: its disk is full. Another sync tries all of it again.</summary>
    DiskFull,

    /// <summary>What is in the region's memory could not be made durable: its disk fails. Another sync tries all of it again.</summary>
    DiskError,
}
