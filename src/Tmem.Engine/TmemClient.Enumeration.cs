using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>What a pool holds, by name.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// The objects of a pool, in no order that means anything, while others work: one that is there all the time is given once,
    /// one that comes or goes meanwhile may be or not. Ends early if the pool is destroyed.
    /// </summary>
    /// <exception cref="ArgumentException">No such pool of this client's, when the enumeration is asked for.</exception>
    public IEnumerable<ObjectId> EnumerateObjects(PoolId pool)
    {
        using (_engine.Gate.Enter())
            if (Resolve(pool, out _) is not TmemStatus.Ok and var status) throw Mistake(status, pool, 0);
        return Objects(pool);
    }

    /// <summary>The pages an object has, lowest index first, while others work; none if it is not there.</summary>
    /// <exception cref="ArgumentException">No such pool of this client's, or the reserved object id, when the enumeration is
    /// asked for.</exception>
    public IEnumerable<uint> EnumeratePages(PoolId pool, ObjectId obj)
    {
        using (_engine.Gate.Enter())
            if (Resolve(pool, obj, out _) is not TmemStatus.Ok and var status) throw Mistake(status, pool, 0);
        return Pages(pool, obj);
    }

    private IEnumerable<ObjectId> Objects(PoolId pool)
    {
        for (var bucket = 0; bucket < Pool.BucketCount; bucket++)
            for (var from = default(ObjectId); TryNext(pool, bucket, from, out var found); from = found.Next())
                yield return found;
    }

    private IEnumerable<uint> Pages(PoolId pool, ObjectId obj)
    {
        for (ulong from = 0; from <= uint.MaxValue && NextPage(pool, obj, (uint)from, out var found) == TmemStatus.Ok;
            from = found + 1UL)
            yield return found;
    }

    private bool TryNext(PoolId pool, int bucket, in ObjectId from, out ObjectId found)
    {
        using var call = _engine.Gate.Enter();
        found = default;
        return Resolve(pool, out var target) == TmemStatus.Ok
            && _engine.Operations.Search.NextObject(target, bucket, from, out found);
    }
}
