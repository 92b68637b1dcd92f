using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The clients. A client without an entry in the region's client table has the defaults, so only a configured or frozen client
/// takes a place there. A client without pools and settings that nothing refers to takes none here either: it is made anew on
/// request.
/// </summary>
internal sealed unsafe class ClientTable
{
    private const int FewStates = 64;

    private readonly ClientEntry* _entries;
    private readonly Dictionary<TmemClientId, WeakReference<ClientState>> _states = [];
    private readonly Lock _change = new();
    private volatile ClientState[] _all = [];
    private int _sweepAt = FewStates;

    public ClientTable(RegionMemory memory) => _entries = (ClientEntry*)(memory.Start + RegionLayout.ClientTableOffset);

    /// <summary>Every client that owns pools or has settings other than the defaults. Never changed in place.</summary>
    public ClientState[] All => _all;

    /// <summary>The only state of a client, for as long as anything refers to it.</summary>
    public ClientState State(TmemClientId id)
    {
        lock (_change)
        {
            if (_states.TryGetValue(id, out var known) && known.TryGetTarget(out var state)) return state;
            if (_states.Count >= _sweepAt) Sweep();
            state = new ClientState(id, this);
            _states[id] = new WeakReference<ClientState>(state);
            return state;
        }
    }

    /// <summary>A client has gained or lost its pools or settings. Under the pool table's lock or the table's own.</summary>
    public void Note(ClientState client)
    {
        lock (_change)
        {
            var counts = client.Pools.Length > 0 || client.Settings != ClientSettings.Default;
            if (counts == Array.IndexOf(_all, client) >= 0) return;
            _all = counts ? [.. _all, client] : Array.FindAll(_all, other => other != client);
        }
    }

    /// <summary>States remembered, including dead ones. For tests.</summary>
    internal int Known { get { lock (_change) return _states.Count; } }

    /// <summary>Forgets states that nothing refers to; next when there are twice as many as remain.</summary>
    private void Sweep()
    {
        foreach (var (id, state) in _states)
        {
            if (!state.TryGetTarget(out _)) _states.Remove(id);
        }
        _states.TrimExcess();
        _sweepAt = Math.Max(FewStates, 2 * _states.Count);
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

    /// <summary>Restores the defaults; the entry becomes free.</summary>
    public void Reset(ClientState client)
    {
        lock (_change) _ = Set(client, ClientSettings.Default);
    }

    /// <summary>Reads the settings of an attached region.</summary>
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
            var client = State(new TmemClientId((uint)entry.LivingId));
            client.Settings = settings;
            Note(client);
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
        Note(client);
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
