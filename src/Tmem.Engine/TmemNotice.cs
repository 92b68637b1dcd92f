namespace Tmem.Engine;

/// <summary>
/// A message to the store's administrator: for example, that the region's file cannot be written, or is written again.
/// </summary>
/// <param name="IsProblem">Whether it calls for action.</param>
/// <param name="Sentence">What happened, with the remedy if it is a problem; without a full stop.</param>
public readonly record struct TmemNotice(bool IsProblem, string Sentence)
{
    /// <summary>
    /// Whether what is stored is not safe until it is seen to: the region's file cannot be written, or is gone. A problem too.
    /// </summary>
    public bool IsFailure { get; init; }
}
