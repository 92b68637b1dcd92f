namespace Tmem.Engine.Recompress;

/// <summary>How to recompress.</summary>
internal sealed record RecompressionSettings
{
    /// <summary>The default of <see cref="EngineOptions.RecompressionLevel"/>.</summary>
    public const int DefaultLevel = 6;

    public int Level { get; init; } = DefaultLevel;

    /// <summary>The part of a processor it may use while the store has room.</summary>
    public double Share { get; init; } = 0.05;

    /// <summary>A dictionary's size: docs/memory.md has what others give.</summary>
    public int DictionaryBytes { get; init; } = 64 << 10;

    /// <summary>Pages to train on: a hundred times the dictionary at most.</summary>
    public int SampleBytes { get; init; } = 8 << 20;

    /// <summary>A dictionary of fewer pages would know them by heart, and no others.</summary>
    public int FewestSampleBytes { get; init; } = 2 << 20;

    /// <summary>The time after which a training that found too few pages is tried again.</summary>
    public TimeSpan BetweenTries { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The time after which it is looked whether a fresh dictionary would do better.</summary>
    public TimeSpan BetweenTrainings { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The least time between the beginnings of two passes: a page that is not used in between is cold. A tenth of it where the
    /// store is nearly full.
    /// </summary>
    public TimeSpan Age { get; init; } = TimeSpan.FromSeconds(30);
}
