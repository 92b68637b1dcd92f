using Tmem.Benchmarks.Swap;

namespace Tmem.Benchmarks.Engine;

/// <summary>What the tables of a run share: the pages, how often, a trace of the user's, and the wish to stop.</summary>
internal sealed record EngineBench(PageFile Corpus, int Rounds, string? Trace, Interrupt Interrupt)
{
    /// <summary>Rounds that are not counted: the first meets cold memory, the second cold code.</summary>
    public const int WarmUp = 2;

    /// <summary>Throws if the run is to end.</summary>
    public void Check() => Interrupt.Check();
}
