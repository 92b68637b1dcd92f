namespace Tmem.Engine;

/// <summary>What a file system asks of an object beside its pages: where it has none.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// The lowest index at or above <paramref name="from"/> that has no page: 2^32 if all have. Looks at so many nodes of 64
    /// pages at most, a fraction of a microsecond each; Miss if it found no gap in them.
    /// </summary>
    internal TmemStatus NextHole(PoolId pool, in ObjectId obj, uint from, int nodes, out ulong found)
    {
        found = from;
        var status = Resolve(pool, obj, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Search.NextHole(target, obj, from, nodes, out found) : status;
    }
}
