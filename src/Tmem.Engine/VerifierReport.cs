namespace Tmem.Engine;

/// <summary>What a verification found.</summary>
/// <param name="PagesChecked">Pages whose checksum and decoding were tried.</param>
/// <param name="ObjectsChecked">Objects walked.</param>
/// <param name="SpansChecked">Spans walked.</param>
/// <param name="Problems">One sentence a problem, naming the thing; empty when all is well. At most
/// <see cref="MaximumProblems"/>.</param>
public sealed record VerifierReport(long PagesChecked, long ObjectsChecked, long SpansChecked, IReadOnlyList<string> Problems)
{
    /// <summary>How many problems are listed at most.</summary>
    public const int MaximumProblems = 100;

    /// <summary>
    /// The pages among the problems that fail their checksum or do not unpack; what <see cref="Problems"/> says of one begins
    /// with its handle.
    /// </summary>
    public IReadOnlyList<PageHandle> CorruptPages { get; init; } = [];

    /// <summary>True when nothing is wrong.</summary>
    public bool Clean => Problems.Count == 0;
}
