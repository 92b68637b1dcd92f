using Tmem.Engine.Diagnostics;
using Tmem.Engine.Region;

namespace Tmem.Engine.Clients;

/// <summary>
/// The clients. A client without an entry in the region's client table has the defaults, so that only what somebody configured or froze
/// takes a place there.
/// </summary>
internal sealed unsafe class ClientTable
{
    private readonly ClientEntry* _entries;
    private readonly Dictionary<ClientId, ClientState> _states = [];
    private readonly Lock _change = new();
    private volatile ClientState[] _all = [];

    public ClientTable(RegionMemory memory) => _entries = (ClientEntry*)(memory.Start + RegionLayout.ClientTableOffset);

    /// <summary>Every client that was asked for or found since the engine was opened. Never changed in place.</summary>
    public ClientState[] All => _all;

    /// <summary>The one state of a client.</summary>
    public ClientState State(ClientId id)
    {
        lock (_change)
        {
            if (_states.TryGetValue(id, out var state)) return state;
            state = new ClientState(id);
            _states.Add(id, state);
            _all = [.. _all, state];
            return state;
        }
    }

    /// <summary>Sets weight and limit, leaving the rest. TableFull if the client needs an entry and there is none.</summary>
    public TmemStatus Configure(ClientState client, in ClientOptions options)
    {
        lock (_change) return Set(client, ClientSettings.Of(options, client.IsFrozen));
    }

    public TmemStatus SetFrozen(ClientState client, bool frozen)
    {
        lock (_change) return Set(client, ClientSettings.Of(client.Settings.Options, frozen));
    }

    /// <summary>Back to the defaults; the entry becomes free.</summary>
    public void Reset(ClientState client)
    {
        lock (_change) _ = Set(client, ClientSettings.Default);
    }

    /// <summary>Takes the settings of an attached region.</summary>
    public void Adopt(DamageReport damage)
    {
        for (var place = 0; place < RegionLayout.MaximumClients; place++)
        {
            ref var entry = ref _entries[place];
            if (entry.LivingId == 0) continue;
            var settings = new ClientSettings(entry.Settings);
            if (entry.LivingId > uint.MaxValue || !settings.IsValid)
            {
                damage.Found($"client table entry {place} holds {entry.LivingId:x}, {entry.Settings:x16}");
                entry.LivingId = 0;
                continue;
            }
            State(new ClientId((uint)entry.LivingId)).Settings = settings;
        }
    }

    private TmemStatus Set(ClientState client, ClientSettings settings)
    {
        var place = Find(client.Id.Value);
        if (place >= 0)
        {
            if (settings == ClientSettings.Default) Volatile.Write(ref _entries[place].LivingId, 0);
            else Volatile.Write(ref _entries[place].Settings, settings.Word);
        }
        else if (settings != ClientSettings.Default)
        {
            place = Find(0);
            if (place < 0) return TmemStatus.TableFull;
            _entries[place].Settings = settings.Word;
            Volatile.Write(ref _entries[place].LivingId, client.Id.Value);
        }
        client.Settings = settings;
        return TmemStatus.Ok;
    }

    private int Find(ulong id)
    {
        for (var place = 0; place < RegionLayout.MaximumClients; place++)
        {
            if (_entries[place].LivingId == id) return place;
        }
        return -1;
    }
}
