namespace Tmem.Engine;

/// <summary>The number of a client (the owner of pools), the same after a restart. 0 is no client.</summary>
/// <param name="Value">The number.</param>
public readonly record struct TmemClientId(uint Value);
