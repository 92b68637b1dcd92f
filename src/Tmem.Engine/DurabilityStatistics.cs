namespace Tmem.Engine;

/// <summary>What a region file's checkpoints have done since the engine was opened; all zero without a file.</summary>
public sealed record DurabilityStatistics
{
    /// <summary>Checkpoints that wrote something and became durable.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Checkpoints that failed: the disk was full or failing, or the file had been removed.</summary>
    public long Failures { get; init; }

    /// <summary>How the engine knows which pages were written.</summary>
    public ChangeTracking Tracking { get; init; }

    /// <summary>
    /// Checkpoints during which sizes or times of files changed without pause: each of those few words is as it was at some
    /// moment of the checkpoint's last round; all else is as it was at one moment.
    /// </summary>
    public long Unquiet { get; init; }

    /// <summary>Bytes of the region not durable when the last failed checkpoint gave up; 0 if the last one succeeded.</summary>
    public long BytesBehind { get; init; }

    /// <summary>The last checkpoint failed: changes since the last successful one are in memory only.</summary>
    public bool LastFailed { get; init; }

    /// <summary>
    /// The file has now been removed, or replaced by another: it is still written, and all of it is gone with the last process
    /// that has it open.
    /// </summary>
    public bool FileRemoved { get; init; }

    /// <summary>
    /// The name at which the last checkpoint found the file, or "inode N" where that name cannot be seen; null while the path
    /// that it was opened by leads to it, as far as can be seen.
    /// </summary>
    public string? FileMovedTo { get; init; }

    /// <summary>Pages copied to the journal.</summary>
    public long Pages { get; init; }

    /// <summary>The longest standstill of a checkpoint.</summary>
    public TimeSpan LongestStandstill { get; init; }
}

/// <summary>How an engine knows which pages of its region were written since a checkpoint.</summary>
public enum ChangeTracking
{
    /// <summary>There is no file, so nothing is tracked.</summary>
    None,

    /// <summary>The kernel tells (userfaultfd, PAGEMAP_SCAN; Linux 6.7).</summary>
    WriteProtection,

    /// <summary>The kernel cannot tell: each checkpoint reads the whole store and compares a hash of each page.</summary>
    Hashes,
}
