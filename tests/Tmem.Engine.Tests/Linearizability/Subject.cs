namespace Tmem.Engine.Tests.Linearizability;

/// <summary>The subject of the race: a pool of the engine. The seeded bugs are subjects that get one of these wrong.</summary>
internal class Subject(TmemClient client, PoolId pool)
{
    public virtual TmemStatus Put(in ObjectId obj, uint index, ReadOnlySpan<byte> page) => client.Put(pool, obj, index, page);

    public virtual TmemStatus Replace(in ObjectId obj, uint index, ReadOnlySpan<byte> page) =>
        client.Replace(pool, obj, index, page);

    public virtual TmemStatus Get(in ObjectId obj, uint index, Span<byte> page) => client.Get(pool, obj, index, page);

    public virtual TmemStatus FlushPage(in ObjectId obj, uint index) => client.FlushPage(pool, obj, index);

    public virtual TmemStatus FlushObject(in ObjectId obj) => client.FlushObject(pool, obj);

    /// <summary>Whether the page is there, without taking it: the next page from its index on is the page itself.</summary>
    public virtual TmemStatus Look(in ObjectId obj, uint index) =>
        client.NextPage(pool, obj, index, out var found) == TmemStatus.Ok && found == index ? TmemStatus.Ok : TmemStatus.Miss;
}
