using Tmem.Benchmarks.Swap;

namespace Tmem.Benchmarks.Engine;

/// <summary>What the tables of a run share.</summary>
/// <param name="Corpus">The pages.</param>
/// <param name="Pages">The most pages that are wanted; 0 if nobody said.</param>
/// <param name="Rounds">How often each of those compared takes part.</param>
/// <param name="ManyPages">Pages of the large store of the tables flat and attach.</param>
/// <param name="WholePages">These have corpus pages instead of slices.</param>
/// <param name="HugePages">These have their region in pages of 2 MiB.</param>
/// <param name="Trace">The user's own trace for the table eviction, or a folder of them.</param>
/// <param name="Interrupt">The user's wish to stop.</param>
internal sealed record EngineBench(PageFile Corpus, int Pages, int Rounds, long ManyPages, bool WholePages, bool HugePages,
    string? Trace, Interrupt Interrupt)
{
    /// <summary>Rounds that are not counted: the first meets cold memory, the second cold code.</summary>
    public const int WarmUp = 2;

    /// <summary>What the figures are held against.</summary>
    public Verdict Verdict { get; } = new(Corpus.Count);

    /// <summary>Throws if the run is to end.</summary>
    public void Check() => Interrupt.Check();
}
