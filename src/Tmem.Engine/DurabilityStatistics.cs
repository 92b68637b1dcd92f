namespace Tmem.Engine;

/// <summary>What a region file's checkpoints have done since the engine was opened; all zero without a file.</summary>
public sealed record DurabilityStatistics
{
    /// <summary>Checkpoints that wrote something and are durable.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Checkpoints that failed: a full disk, or one that fails.</summary>
    public long Failures { get; init; }

    /// <summary>How what was written is known.</summary>
    public ChangeTracking Tracking { get; init; }

    /// <summary>
    /// Checkpoints in which somebody changed the sizes or times of files without a rest: those few words are each as they were at
    /// some moment of the checkpoint's last round, all else is as it was at one.
    /// </summary>
    public long Unquiet { get; init; }

    /// <summary>Bytes of the region that were not durable when the last one that failed gave up; 0 if it did not fail.</summary>
    public long BytesBehind { get; init; }

    /// <summary>The last one failed: what was changed since the last that did not is in memory alone.</summary>
    public bool LastFailed { get; init; }

    /// <summary>Pages copied to the journal.</summary>
    public long Pages { get; init; }

    /// <summary>The longest that a checkpoint has held everybody off.</summary>
    public TimeSpan LongestStandstill { get; init; }
}

/// <summary>How an engine knows which pages of its region were written since a checkpoint.</summary>
public enum ChangeTracking
{
    /// <summary>It has no file, and need not know.</summary>
    None,

    /// <summary>The kernel says (userfaultfd, PAGEMAP_SCAN; Linux 6.7).</summary>
    WriteProtection,

    /// <summary>
    /// The kernel cannot say: a hash of each page is compared, and all of the store is read at each checkpoint.
    /// </summary>
    Hashes,
}
