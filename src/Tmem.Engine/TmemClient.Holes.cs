namespace Tmem.Engine;

/// <summary>The search for an object's holes, for a file system.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// The lowest index at or above <paramref name="from"/> that has no page: 2^32 if all have. Examines at most
    /// <paramref name="nodes"/> nodes of 64 pages, a fraction of a microsecond each; Miss if they have no gap.
    /// </summary>
    internal TmemStatus NextHole(PoolId pool, in ObjectId obj, uint from, int nodes, out ulong found)
    {
        found = from;
        var status = Resolve(pool, obj, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Search.NextHole(target, obj, from, nodes, out found) : status;
    }
}
