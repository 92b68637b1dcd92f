namespace Tmem.Engine;

/// <summary>The id of a pool. Never used again once its pool is destroyed. 0 is no pool.</summary>
/// <param name="Value">Low 10 bits: place in the pool table; above: how often that place has been used.</param>
public readonly record struct PoolId(uint Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"pool {Value & 0x3ff}.{Value >> 10}";
}
