namespace Tmem.Engine;

/// <summary>What recompression does and has; what it won is in <see cref="PoolStatistics"/>.</summary>
public sealed record RecompressionStatistics
{
    /// <summary>Whether a thread of the engine recompresses in the background.</summary>
    public bool InBackground { get; init; }

    /// <summary>Processor time spent since the engine was opened.</summary>
    public TimeSpan ProcessorTime { get; init; }

    /// <summary>The dictionaries that pages need, or that new pages are stored with.</summary>
    public IReadOnlyList<DictionaryStatistics> Dictionaries { get; init; } = [];
}

/// <summary>A dictionary of the store.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Pool">The pool that it was trained for; none for one that small pools share.</param>
/// <param name="MadeAt">When it was trained.</param>
/// <param name="Bytes">Memory that it takes, tables included; part of the store's account.</param>
/// <param name="Pages">Pages that need it.</param>
public sealed record DictionaryStatistics(int Number, PoolId Pool, DateTimeOffset MadeAt, long Bytes, long Pages);

/// <summary>What <see cref="TmemEngine.Recompress"/> brought.</summary>
/// <param name="Status">Ok, or NoSuchPool.</param>
/// <param name="Pages">Pages stored smaller.</param>
/// <param name="Bytes">Real memory won, in bytes of slots.</param>
/// <param name="ProcessorTime">Time it took of a processor.</param>
public sealed record RecompressionResult(TmemStatus Status, long Pages, long Bytes, TimeSpan ProcessorTime);
