namespace Tmem.Engine;

/// <summary>What a region file's checkpoints have done since the engine was opened; all zero without a file.</summary>
public sealed record DurabilityStatistics
{
    /// <summary>Checkpoints that wrote something and are durable.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Checkpoints that failed: a full disk, or one that fails.</summary>
    public long Failures { get; init; }

    /// <summary>The last one failed: what was changed since the last that did not is in memory alone.</summary>
    public bool LastFailed { get; init; }

    /// <summary>Pages copied to the journal.</summary>
    public long Pages { get; init; }

    /// <summary>The longest that a checkpoint has held everybody off.</summary>
    public TimeSpan LongestStandstill { get; init; }
}
