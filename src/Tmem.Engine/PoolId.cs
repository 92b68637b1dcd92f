namespace Tmem.Engine;

/// <summary>The id of a pool, never reused after the pool is destroyed. 0 is no pool.</summary>
/// <param name="Value">Low 10 bits: place in the pool table; above: how many pools have had that place.</param>
public readonly record struct PoolId(uint Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"pool {Value & 0x3ff}.{Value >> 10}";
}
