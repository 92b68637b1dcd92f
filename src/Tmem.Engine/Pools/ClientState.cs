using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The process's state of a client: its settings (<see cref="ClientSettings"/>; the client table holds the truth) and the pools
/// it owns. The total of its pools is never kept, only added up from each pool's count: a client without a limit pays nothing for
/// it on the data path, one with a limit a read a pool, and no figure can be left wrong by an attach or a change of owner.
/// </summary>
internal sealed class ClientState(TmemClientId id, ClientTable table)
{
    private ulong _settings = ClientSettings.Default.Word;
    private volatile Pool[] _pools = [];
    private int _growing;

    public TmemClientId Id { get; } = id;

    public ClientSettings Settings
    {
        get => new(Volatile.Read(ref _settings));
        set => Volatile.Write(ref _settings, value.Word);
    }

    public bool IsFrozen => Settings.IsFrozen;

    /// <summary>The pools it owns, including those being restored or drained. Never changed in place.</summary>
    public Pool[] Pools => _pools;

    /// <summary>Whether its pools have to ask it before they grow: <see cref="TryGrow"/>.</summary>
    public bool HasLimit => Settings.LimitBytes != 0;

    /// <summary>
    /// Lets one of its pools grow within its limit. Requests are serialised, and a refused one is never added: of two concurrent
    /// growths of which one fits, that one succeeds.
    /// </summary>
    public TmemStatus TryGrow(Pool pool, long bytes, bool asksReserves)
    {
        SpinLatch.Enter(ref _growing, LatchRank.Growth);
        var limit = Settings.LimitBytes;
        var status = pool.IsTooMuch(bytes) ? TmemStatus.PoolLimit
            : limit != 0 && Memory + bytes > limit ? TmemStatus.ClientLimit
            : pool.TryGrowAlone(bytes, asksReserves);
        SpinLatch.Exit(ref _growing);
        return status;
    }

    public long Memory
    {
        get
        {
            long sum = 0;
            foreach (var pool in _pools) sum += pool.Memory;
            return sum;
        }
    }

    public long EphemeralMemory
    {
        get
        {
            long sum = 0;
            foreach (var pool in _pools)
            {
                if (!pool.IsPersistent) sum += pool.Memory;
            }
            return sum;
        }
    }

    public long Sum(Count what, bool ephemeralOnly = false)
    {
        long sum = 0;
        foreach (var pool in _pools)
        {
            if (!ephemeralOnly || !pool.IsPersistent) sum += pool.Counters.Sum(what);
        }
        return sum;
    }

    /// <summary>Under the pool table's lock.</summary>
    public void Own(Pool pool)
    {
        _pools = [.. _pools, pool];
        table.Note(this);
    }

    /// <summary>Under the pool table's lock.</summary>
    public void Disown(Pool pool)
    {
        _pools = Array.FindAll(_pools, other => other != pool);
        table.Note(this);
    }
}
