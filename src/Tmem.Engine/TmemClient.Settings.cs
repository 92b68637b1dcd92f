using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>The client as a whole: what the host grants it, its figures, freeze and thaw, its end.</summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// Sets weight and limit, in one store of the region. A limit below what the client holds takes nothing away from persistent
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
    /// Guarantees a persistent pool so much real memory from now on, or no more than that: 0 ends a guarantee, and takes no page
    /// away. Until the pool holds as much, what others store leaves it the room, whatever is cached goes for it. Kept in the
    /// region. InvalidArgument for a negative reserve, one above the pool's limit, and for an ephemeral pool; Reserved if it does
    /// not fit beside what is stored and reserved.
    /// </summary>
    public TmemStatus Reserve(PoolId pool, long bytes)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        if (status != TmemStatus.Ok) return status;
        return PoolOptionsCheck.IsReserve(target.Options, bytes) ? _engine.PoolTable.SetReserve(target, bytes)
            : TmemStatus.InvalidArgument;
    }

    /// <summary>The client's settings and figures.</summary>
    public ClientInfo Info()
    {
        using var call = _engine.Gate.Enter();
        return _engine.Describe(_state);
    }

    /// <summary>
    /// Freezes the client, as Xen does one that is about to be saved: a put from now on stores nothing, flushes what its handle
    /// held and answers Frozen (replace keeps the old page); gets and flushes go on. When this returns, no put of the client that
    /// began before is stored any more either. TableFull if 256 clients have settings already.
    /// </summary>
    public TmemStatus Freeze()
    {
        using var call = _engine.Gate.Enter();
        var status = _engine.ClientTable.SetFrozen(_state, frozen: true);
        if (status != TmemStatus.Ok) return status;
        // A put looks at the flag under its bucket's latch: once each latch was seen free, none that saw the flag unset is left.
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
    /// Destroys the client's pools, leaves those it shares, and takes its authorisations, settings and freeze back.
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
