namespace Tmem.Engine;

/// <summary>
/// Something that whoever is responsible for the store should hear of: a region's file that cannot be written, or is
/// written again.
/// </summary>
/// <param name="IsProblem">Whether something is to be done about it.</param>
/// <param name="Sentence">What it is, and the remedy if it is a problem; without a full stop.</param>
public readonly record struct TmemNotice(bool IsProblem, string Sentence);
