using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>The client as a whole: its settings and figures, freeze and thaw, its destruction.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// Sets weight and limit, in one store of the region. A limit below what the client holds removes nothing from persistent
    /// pools; its puts are refused until it holds less. InvalidArgument for values out of range; TableFull if 256 clients are
    /// configured already.
    /// </summary>
    public TmemStatus Configure(in ClientOptions options)
    {
        using var call = _engine.Gate.Enter();
        return options.Weight is < 1 or > ClientOptions.MaximumWeight
            || options.LimitBytes is < 0 or > ClientOptions.MaximumLimitBytes
            ? TmemStatus.InvalidArgument
            : _engine.ClientTable.Configure(_state, options);
    }

    /// <summary>
    /// Sets a persistent pool's guarantee of real memory: 0 ends it, and removes no page. Until the pool holds that much, others'
    /// pages leave it the room, at the cost of ephemeral pages. Kept in the region. InvalidArgument for a negative reserve, one
    /// above the pool's limit, and for an ephemeral pool; Reserved if it does not fit beside what is stored and reserved.
    /// </summary>
    public TmemStatus Reserve(PoolId pool, long bytes)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        if (status != TmemStatus.Ok) return status;
        return _engine.PoolTable.SetReserve(target, bytes);
    }

    /// <summary>
    /// Sets a pool's limit, 0 for none, in one store of the region. An ephemeral pool that holds more then evicts down to it; a
    /// persistent one keeps what it holds, and refuses what would make it grow until it fits. InvalidArgument for a negative
    /// limit and for one below the pool's reserve.
    /// </summary>
    public TmemStatus Limit(PoolId pool, long bytes)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        if (status == TmemStatus.Ok) status = _engine.PoolTable.SetLimit(target, bytes);
        if (status == TmemStatus.Ok && bytes != 0) _engine.EvictTo(target, bytes);
        return status;
    }

    /// <summary>
    /// Sets the codec of a pool's new pages, in one store of the region; those stored stay as they are. UnsupportedCodec;
    /// InvalidFlags for a precompressed pool.
    /// </summary>
    public TmemStatus Recode(PoolId pool, TmemCodec codec)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        return status == TmemStatus.Ok ? _engine.PoolTable.SetCodec(target, codec) : status;
    }

    /// <summary>The client's settings and figures.</summary>
    public ClientInfo Info()
    {
        using var call = _engine.Gate.Enter();
        return _engine.Describe(_state);
    }

    /// <summary>
    /// Freezes the client, as Xen does before a save: from now on a put stores nothing, flushes its handle and answers Frozen
    /// (replace keeps the old page); gets and flushes continue. When this returns, no put of the client that began before will
    /// store anything either. TableFull if 256 clients have settings already.
    /// </summary>
    public TmemStatus Freeze()
    {
        using var call = _engine.Gate.Enter();
        var status = _engine.ClientTable.SetFrozen(_state, frozen: true);
        if (status != TmemStatus.Ok) return status;
        // A put checks the flag under its bucket's latch: once each latch was seen free, no put that saw the flag unset is left.
        foreach (var pool in _engine.PoolTable.Living().Where(pool => pool.Admits(_state))) WaitForLatches(pool);
        return TmemStatus.Ok;
    }

    /// <summary>Ends a freeze.</summary>
    public TmemStatus Thaw()
    {
        using var call = _engine.Gate.Enter();
        return _engine.ClientTable.SetFrozen(_state, frozen: false);
    }

    /// <summary>
    /// Destroys the client's pools, leaves those it shares, and removes its authorisations, settings and freeze.
    /// </summary>
    public void Destroy()
    {
        using var call = _engine.Gate.Enter();
        _engine.PoolTable.RevokeAll(Id);
        foreach (var pool in Pools()) DestroyPool(pool);
        _engine.ClientTable.Reset(_state);
    }

    private static void WaitForLatches(Pool pool)
    {
        for (var number = 0; number < Pool.BucketCount; number++)
        {
            ref var latch = ref pool.BucketAt(number).Latch;
            SpinLatch.Enter(ref latch, LatchRank.Bucket);
            SpinLatch.Exit(ref latch);
        }
    }
}
