using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>Enumeration of a pool's objects and pages.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// The objects of a pool, in no meaningful order, beside other operations: an object present throughout is returned once; one
    /// created or removed meanwhile may or may not be. Ends early if the pool is destroyed.
    /// </summary>
    /// <exception cref="ArgumentException">The client has no such pool; thrown when the enumeration is requested.</exception>
    public IEnumerable<ObjectId> EnumerateObjects(PoolId pool)
    {
        using (_engine.Gate.Enter())
            if (Resolve(pool, out _) is not TmemStatus.Ok and var status) throw Mistake(status, pool, 0);
        return Objects(pool);
    }

    /// <summary>The pages of an object, lowest index first, beside other operations; none if the object does not exist.</summary>
    /// <exception cref="ArgumentException">
    /// The client has no such pool, or the object id is the reserved one; thrown when the enumeration is requested.
    /// </exception>
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
