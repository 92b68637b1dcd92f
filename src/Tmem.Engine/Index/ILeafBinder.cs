namespace Tmem.Engine.Index;

/// <summary>Tells a page store where a descriptor stands, for look-ups that start from the stored page.</summary>
internal interface ILeafBinder
{
    /// <summary>Notes which leaf a descriptor is about to stand in, or has moved to. Under the bucket's latch.</summary>
    void Bind(ulong descriptor, ulong leaf);
}
