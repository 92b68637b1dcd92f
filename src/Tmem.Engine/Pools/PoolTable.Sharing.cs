using Tmem.Engine.Format;

namespace Tmem.Engine.Pools;

/// <summary>
/// Shared pools: found by their id, joined by authorised clients, alive until the last member leaves. The region's sharing table
/// holds the truth about membership, one store each; a copy is kept with the pool for the data path.
/// <para>The steps are ordered so that the process may die between any two: the pool exists before its first member, and an
/// attach drops a pool without any; it gets a new owner before the old one leaves.</para>
/// </summary>
internal sealed unsafe partial class PoolTable
{
    public TmemStatus Authorise(TmemClientId client, SharedId id)
    {
        lock (_change) return _sharing.TryAdd(client, id, SharingEntry.Authorised) ? TmemStatus.Ok : TmemStatus.TableFull;
    }

    public bool Revoke(TmemClientId client, SharedId id)
    {
        lock (_change) return _sharing.Remove(client, id, SharingEntry.Authorised);
    }

    public void RevokeAll(TmemClientId client)
    {
        lock (_change) _sharing.RevokeAll(client);
    }

    /// <summary>The clients with any authorisation or membership.</summary>
    public HashSet<TmemClientId> SharingClients()
    {
        lock (_change) return _sharing.Clients();
    }

    /// <summary>Joins the pool of a shared id. Miss if there is none yet, and the client may create it.</summary>
    private TmemStatus TryJoin(ClientState client, in PoolOptions options, out Pool? pool)
    {
        pool = null;
        if (!_sharing.Has(client.Id, options.SharedId, SharingEntry.Authorised)) return TmemStatus.NotAuthorised;
        if (FindShared(options.SharedId) is not { } there) return TmemStatus.Miss;
        if (!there.IsOpen) return TmemStatus.SharedIdInUse;
        if (there.Options.Flags != options.Flags) return TmemStatus.KindMismatch;
        pool = there;
        if (there.Admits(client)) return TmemStatus.Ok;
        // The row exists: it authorises the client.
        _ = _sharing.TryAdd(client.Id, options.SharedId, SharingEntry.Member);
        there.Members = [.. there.Members, client];
        return TmemStatus.Ok;
    }

    private TmemStatus MakeShared(ClientState client, in PoolOptions options, int restore, out Pool? pool)
    {
        var status = Make(client, options, restore, out pool);
        if (status != TmemStatus.Ok) return status;
        _ = _sharing.TryAdd(client.Id, options.SharedId, SharingEntry.Member);
        pool!.Members = [client];
        return TmemStatus.Ok;
    }

    /// <summary>Removes a member from a shared pool. False if it was the last: then the pool must end.</summary>
    private bool Leave(Pool pool, ClientState client)
    {
        var others = Array.FindAll(pool.Members, member => member != client);
        if (pool.Owner == client && others.Length > 0) HandOver(pool, others[0]);
        _ = _sharing.Remove(client.Id, pool.Options.SharedId, SharingEntry.Member);
        if (others.Length == 0) return false;
        pool.Members = others;
        return true;
    }

    /// <summary>The memory of a shared pool is its owner's, so it passes to a member that stays.</summary>
    private void HandOver(Pool pool, ClientState heir)
    {
        Volatile.Write(ref _entries[pool.Place].Owner, heir.Id.Value);
        heir.Own(pool);
        var former = pool.Owner;
        pool.Owner = heir;
        former.Disown(pool);
    }

    private Pool? FindShared(SharedId id)
    {
        foreach (var pool in _pools)
        {
            if (pool is { IsEnding: false } && pool.Options.SharedId == id) return pool;
        }
        return null;
    }

    /// <summary>
    /// The members of an attached pool; if its owner is not among them (it was leaving), the first becomes the owner.
    /// </summary>
    private ClientState[] AdoptMembers(ref PoolEntry entry, SharedId id)
    {
        if (id.IsNone) return [];
        var members = _sharing.Members(id);
        if (members.Count > 0 && !members.Contains(new TmemClientId(entry.Owner))) entry.Owner = members[0].Value;
        return [.. members.Select(_clients.State)];
    }
}
