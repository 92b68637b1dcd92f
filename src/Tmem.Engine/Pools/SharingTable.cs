using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Which clients may join a shared pool, and which have: one row of the region for a client and a shared id. The rows are few,
/// and read only when pools are created, joined and left; the data path uses a copy kept with the pool. Guarded by the pool
/// table's lock.
/// </summary>
internal sealed unsafe class SharingTable
{
    private readonly SharingEntry* _rows;

    public SharingTable(RegionMemory memory) => _rows = (SharingEntry*)(memory.Start + RegionLayout.SharingTableOffset);

    public bool Has(TmemClientId client, SharedId id, uint state) => Find(client, id) is var row and >= 0
        && (_rows[row].State & state) != 0;

    /// <summary>Adds to a client's state for a shared id. False if that needs a row and there is none.</summary>
    public bool TryAdd(TmemClientId client, SharedId id, uint state)
    {
        var row = Find(client, id);
        if (row >= 0)
        {
            Write(row, client, _rows[row].State | state);
            return true;
        }
        for (row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            if (_rows[row].Word != 0) continue;
            _rows[row].Low = id.Low;
            _rows[row].High = id.High;
            Write(row, client, state);
            return true;
        }
        return false;
    }

    /// <summary>
    /// Removes from a client's state for a shared id; a row without any state is free. False if it was not set.
    /// </summary>
    public bool Remove(TmemClientId client, SharedId id, uint state)
    {
        var row = Find(client, id);
        if (row < 0 || (_rows[row].State & state) == 0) return false;
        Write(row, client, _rows[row].State & ~state);
        return true;
    }

    /// <summary>Revokes every authorisation of a client.</summary>
    public void RevokeAll(TmemClientId client)
    {
        for (var row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            if (_rows[row].Client == client.Value) Write(row, client, _rows[row].State & ~SharingEntry.Authorised);
        }
    }

    /// <summary>The members of a shared id, in the order of the rows.</summary>
    public List<TmemClientId> Members(SharedId id)
    {
        var members = new List<TmemClientId>();
        for (var row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            if ((_rows[row].State & SharingEntry.Member) != 0 && IdOf(row) == id)
                members.Add(new TmemClientId(_rows[row].Client));
        }
        return members;
    }

    /// <summary>The clients that have any row.</summary>
    public HashSet<TmemClientId> Clients()
    {
        var clients = new HashSet<TmemClientId>();
        for (var row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            if (_rows[row].Word != 0) clients.Add(new TmemClientId(_rows[row].Client));
        }
        return clients;
    }

    /// <summary>
    /// Checks an attached table, and ends memberships in pools that do not exist: those were being restored when the process
    /// died.
    /// </summary>
    public void Adopt(Func<SharedId, bool> lives, DamageReport damage)
    {
        for (var row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            ref var entry = ref _rows[row];
            if (entry.Word == 0) continue;
            if (entry.Client == 0 || (entry.State & ~(SharingEntry.Authorised | SharingEntry.Member)) != 0
                || IdOf(row) is { IsNone: true } or { IsReserved: true })
            {
                damage.Found($"sharing table row {row} holds {entry.Word:x16} for {IdOf(row)}");
                entry.Word = 0;
                continue;
            }
            if (!lives(IdOf(row))) Write(row, new TmemClientId(entry.Client), entry.State & ~SharingEntry.Member);
        }
    }

    private SharedId IdOf(int row) => new(_rows[row].Low, _rows[row].High);

    private int Find(TmemClientId client, SharedId id)
    {
        for (var row = 0; row < RegionLayout.MaximumSharings; row++)
        {
            if (_rows[row].Client == client.Value && IdOf(row) == id) return row;
        }
        return -1;
    }

    private void Write(int row, TmemClientId client, uint state) =>
        Volatile.Write(ref _rows[row].Word, state == 0 ? 0 : (ulong)client.Value << 32 | state);
}
