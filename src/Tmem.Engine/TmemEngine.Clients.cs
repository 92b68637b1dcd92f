using Tmem.Engine.Pools;

namespace Tmem.Engine;

public sealed partial class TmemEngine
{
    /// <summary>
    /// The client with this number. It owns what a client of that number created earlier, also before an attach.
    /// </summary>
    /// <exception cref="ArgumentException">The number is 0.</exception>
    public TmemClient Client(TmemClientId id)
    {
        using var call = Gate.Enter();
        return new(this, ClientTable.State(Checked(id)));
    }

    /// <summary>The clients that own or share pools, are configured, frozen or authorised, by number.</summary>
    public IReadOnlyList<ClientInfo> Clients()
    {
        using var call = Gate.Enter();
        var all = ClientTable.All;
        var shares = EphemeralShares.Among(all);
        return [.. all
            .Union(PoolTable.SharingClients().Select(ClientTable.State))
            .OrderBy(client => client.Id.Value)
            .Select(client => Describe(client, shares))];
    }

    /// <summary>
    /// Authorises a client to share pools of an id: to create one, or join the existing one. Without it NewPool answers
    /// NotAuthorised. TableFull if the region has no free row (170, one a client and id); InvalidSharedId for 0 and all ones.
    /// </summary>
    /// <exception cref="ArgumentException">The client's number is 0.</exception>
    public TmemStatus Authorise(TmemClientId client, SharedId id)
    {
        using var call = Gate.Enter();
        if (id.IsNone || id.IsReserved) return TmemStatus.InvalidSharedId;
        return PoolTable.Authorise(Checked(client), id);
    }

    /// <summary>Revokes an authorisation; Miss if there was none. A member of a pool stays one until it leaves.</summary>
    public TmemStatus Revoke(TmemClientId client, SharedId id)
    {
        using var call = Gate.Enter();
        return PoolTable.Revoke(client, id) ? TmemStatus.Ok : TmemStatus.Miss;
    }

    internal ClientInfo Describe(ClientState client) => Describe(client, EphemeralShares.Among(ClientTable.All));

    private static ClientInfo Describe(ClientState client, in EphemeralShares shares)
    {
        var settings = client.Settings;
        var ephemeral = client.EphemeralMemory;
        return new ClientInfo(
            client.Id, settings.Options, settings.IsFrozen, client.Pools.Length, client.Sum(Count.Pages),
            client.Memory, ephemeral, ephemeral == 0 ? 0 : shares.Of(client));
    }

    private static TmemClientId Checked(TmemClientId id) =>
        id.Value != 0 ? id : throw new ArgumentException("client 0 is no client; number them from 1", nameof(id));
}
