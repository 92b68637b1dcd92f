namespace Tmem.Engine;

/// <summary>The outcome of a save or a restore, as a code.</summary>
public enum TransferStatus : byte
{
    /// <summary>Complete.</summary>
    Ok = 0,

    /// <summary>The stream does not begin as a saved pool or client does.</summary>
    NotASave,

    /// <summary>The stream has an unknown version.</summary>
    UnknownVersion,

    /// <summary>The stream holds unknown flags, or an unknown policy, codec or record.</summary>
    UnknownContent,

    /// <summary>The stream ends before its trailer.</summary>
    Truncated,

    /// <summary>The stream is damaged: a checksum or a count is wrong.</summary>
    Damaged,

    /// <summary>The engine refused; <see cref="TransferResult.Cause"/> says why.</summary>
    Refused,

    /// <summary>Reading or writing the stream failed.</summary>
    StreamFailed,
}

/// <summary>The outcome of a save or a restore.</summary>
/// <param name="Status">The outcome. Unless it is Ok, a restore has created no pool.</param>
/// <param name="Cause">The engine's answer when it refused, else Ok.</param>
/// <param name="Pools">The pools saved, or created, in the order of the stream.</param>
/// <param name="Pages">Pages written or read.</param>
/// <param name="Bytes">Bytes of the stream written or read.</param>
/// <param name="Sentence">What happened and where, for a person; names the offset in the stream or the page.</param>
public sealed record TransferResult(
    TransferStatus Status, TmemStatus Cause, IReadOnlyList<PoolId> Pools, long Pages, long Bytes, string Sentence);
