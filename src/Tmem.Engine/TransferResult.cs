namespace Tmem.Engine;

/// <summary>What became of a save or a restore.</summary>
public enum TransferStatus : byte
{
    /// <summary>Done, whole.</summary>
    Ok = 0,

    /// <summary>The stream does not begin as a saved pool or client does.</summary>
    NotASave,

    /// <summary>The stream is of a version this program does not know.</summary>
    UnknownVersion,

    /// <summary>The stream holds flags, a policy, a codec or a record this program does not know.</summary>
    UnknownContent,

    /// <summary>The stream ends before its trailer.</summary>
    Truncated,

    /// <summary>The stream is not what was written: a checksum or a count is wrong.</summary>
    Damaged,

    /// <summary>The engine refused; <see cref="TransferResult.Cause"/> says why.</summary>
    Refused,

    /// <summary>Reading or writing the stream failed.</summary>
    StreamFailed,
}

/// <summary>The outcome of a save or a restore.</summary>
/// <param name="Status">What became of it. Only Ok leaves anything behind: whatever else it is, a restore has made no
/// pool.</param>
/// <param name="Cause">The engine's answer when it refused, else Ok.</param>
/// <param name="Pools">The pools saved, or made, in the order of the stream.</param>
/// <param name="Pages">Pages written or read.</param>
/// <param name="Bytes">Bytes of the stream written or read.</param>
/// <param name="Sentence">What happened and where, for a person; names the byte of the stream or the page.</param>
public sealed record TransferResult(
    TransferStatus Status, TmemStatus Cause, IReadOnlyList<PoolId> Pools, long Pages, long Bytes, string Sentence);
