namespace Tmem.Engine;

/// <summary>The findings of a verification.</summary>
/// <param name="PagesChecked">Pages whose checksum and unpacking were checked.</param>
/// <param name="ObjectsChecked">Objects walked.</param>
/// <param name="SpansChecked">Spans walked.</param>
/// <param name="Problems">
/// One sentence a problem, naming the thing; empty if there is none. At most <see cref="MaximumProblems"/>.
/// </param>
public sealed record VerifierReport(long PagesChecked, long ObjectsChecked, long SpansChecked, IReadOnlyList<string> Problems)
{
    /// <summary>The most problems listed.</summary>
    public const int MaximumProblems = 100;

    /// <summary>
    /// The pages among the problems that fail their checksum or do not unpack; the sentence in <see cref="Problems"/> for such a
    /// page begins with its handle.
    /// </summary>
    public IReadOnlyList<PageHandle> CorruptPages { get; init; } = [];

    /// <summary>True if nothing is wrong.</summary>
    public bool Clean => Problems.Count == 0;
}
