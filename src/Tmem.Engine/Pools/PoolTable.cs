using Tmem.Engine.Codec;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The living pools, by their place in the region's pool table. An id is the place and how often the place has been used, so that the id
/// of a destroyed pool never comes back: it answers "no such pool" for as long as the region lives.
/// </summary>
internal sealed unsafe class PoolTable
{
    private const int PlaceBits = 10;
    private const uint PlaceMask = (1u << PlaceBits) - 1;
    private const uint MaximumUses = uint.MaxValue >> PlaceBits;

    private readonly PoolEntry* _entries;
    private readonly SpanPool _spans;
    private readonly Pool?[] _pools = new Pool?[RegionLayout.MaximumPools];
    private readonly Lock _change = new();

    public PoolTable(RegionMemory memory, SpanPool spans)
    {
        _entries = (PoolEntry*)(memory.Start + RegionLayout.PoolTableOffset);
        _spans = spans;
    }

    /// <summary>What destroyed pools had counted.</summary>
    public PoolCounters Retired { get; } = new();

    public Pool? Find(PoolId id)
    {
        var place = id.Value & PlaceMask;
        if (place >= (uint)_pools.Length) return null;
        var pool = Volatile.Read(ref _pools[place]);
        return pool is not null && pool.Id == id && !pool.Dying ? pool : null;
    }

    public Pool? AtPlace(int place) => (uint)place < (uint)_pools.Length ? Volatile.Read(ref _pools[place]) : null;

    public IEnumerable<Pool> Living()
    {
        for (var place = 0; place < _pools.Length; place++)
        {
            var pool = Volatile.Read(ref _pools[place]);
            if (pool is { Dying: false }) yield return pool;
        }
    }

    /// <summary>Keeps pools from coming and going.</summary>
    public void WhileUnchanged(Action look)
    {
        lock (_change) look();
    }

    /// <summary>False quickly when there is nothing ephemeral to evict.</summary>
    public bool AnyEphemeralPages()
    {
        foreach (var pool in _pools)
        {
            if (pool is { IsPersistent: false } && pool.Counters.Sum(Count.Pages) > 0) return true;
        }
        return false;
    }

    public TmemStatus Create(ClientId owner, in PoolOptions options, out Pool? pool)
    {
        pool = null;
        lock (_change)
        {
            for (var place = 0; place < _pools.Length; place++)
            {
                ref var entry = ref _entries[place];
                if (_pools[place] is not null || entry.Uses >= MaximumUses) continue;
                if (!_spans.TryCharge(Pool.ProcessBytes)) return TmemStatus.NoRoom;
                entry.Uses++;
                var id = new PoolId(entry.Uses << PlaceBits | (uint)place);
                entry.Flags = (uint)options.Flags;
                entry.Owner = owner.Value;
                entry.LimitBytes = options.LimitBytes;
                entry.Policy = PolicyOf(options);
                pool = new Pool(id, place, owner, options);
                Volatile.Write(ref entry.LivingId, id.Value);
                Volatile.Write(ref _pools[place], pool);
                return TmemStatus.Ok;
            }
        }
        return TmemStatus.TooManyPools;
    }

    /// <summary>Ends a pool: from here on its id is unknown. The caller then empties it and calls <see cref="Forget"/>.</summary>
    public bool TryEnd(Pool pool)
    {
        lock (_change)
        {
            if (pool.Dying) return false;
            pool.Dying = true;
            Volatile.Write(ref _entries[pool.Place].LivingId, 0);
            return true;
        }
    }

    /// <summary>Frees the place of an ended and emptied pool.</summary>
    public void Forget(Pool pool)
    {
        lock (_change)
        {
            Retired.AbsorbGone(pool.Counters);
            Volatile.Write(ref _pools[pool.Place], null);
            _spans.Uncharge(Pool.ProcessBytes);
        }
    }

    private static uint PolicyOf(in PoolOptions options) =>
        (options.RefuseIncompressible ? PoolEntry.PolicyRefuseIncompressible : 0) | (uint)options.Codec << PoolEntry.PolicyCodecShift;

    private static PoolOptions OptionsOf(in PoolEntry entry) => new(
        (PoolFlags)entry.Flags, entry.LimitBytes, (entry.Policy & PoolEntry.PolicyRefuseIncompressible) != 0,
        (TmemCodec)(entry.Policy >> PoolEntry.PolicyCodecShift));

    /// <summary>Makes the pools of an attached region.</summary>
    public void Adopt(DamageReport damage)
    {
        for (var place = 0; place < _pools.Length; place++)
        {
            ref var entry = ref _entries[place];
            if (entry.LivingId == 0) continue;
            var id = new PoolId((uint)entry.LivingId);
            if ((id.Value & PlaceMask) != place || id.Value >> PlaceBits != entry.Uses)
            {
                damage.Found($"pool table entry {place} names {id}");
                entry.LivingId = 0;
                continue;
            }
            var options = OptionsOf(entry);
            if (!PageSizes.IsServed(options.Flags.PageSize()) || !PageCodecs.IsKnown(options.Codec))
            {
                damage.Found($"{id} has pages of {options.Flags.PageSize()} bytes and codec {(int)options.Codec}, and there are none such");
                entry.LivingId = 0;
                continue;
            }
            // The region was made within a capacity that had room for them; a smaller one now refuses puts, not pools.
            _spans.Charge(Pool.ProcessBytes);
            _pools[place] = new Pool(id, place, new ClientId(entry.Owner), options);
        }
    }
}
