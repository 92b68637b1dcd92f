using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The living pools, by their place in the region's pool table. An id is the place and the number of times it has been used, so
/// the id of a destroyed pool never returns: it answers "no such pool" for as long as the region lives.
/// </summary>
internal sealed unsafe partial class PoolTable
{
    private const int PlaceBits = 10;
    private const uint PlaceMask = (1u << PlaceBits) - 1;
    private const uint MaximumUses = uint.MaxValue >> PlaceBits;

    private readonly Superblock* _superblock;
    private readonly PoolEntry* _entries;
    private readonly SpanPool _spans;
    private readonly ClientTable _clients;
    private readonly TmemCodec? _newPagesCodec;
    private readonly bool _recompresses;
    private readonly SharingTable _sharing;
    private readonly Reserves _reserves;
    private readonly Pool?[] _pools = new Pool?[RegionLayout.MaximumPools];
    private readonly Lock _change = new();

    public PoolTable(RegionMemory memory, SpanPool spans, ClientTable clients, TmemCodec? newPagesCodec = null,
        bool recompresses = false)
    {
        _recompresses = recompresses;
        _superblock = (Superblock*)memory.Start;
        _entries = (PoolEntry*)(memory.Start + RegionLayout.PoolTableOffset);
        _spans = spans;
        _clients = clients;
        _newPagesCodec = newPagesCodec;
        _sharing = new SharingTable(memory);
        _reserves = new Reserves(spans);
    }

    /// <summary>The pools' reserves.</summary>
    public Reserves Reserves => _reserves;

    /// <summary>The counts of destroyed pools.</summary>
    public PoolCounters Retired { get; } = new();

    public Pool? Find(PoolId id)
    {
        var place = id.Value & PlaceMask;
        if (place >= (uint)_pools.Length) return null;
        var pool = Volatile.Read(ref _pools[place]);
        return pool is not null && pool.Id == id && pool.IsOpen ? pool : null;
    }

    /// <summary>A pool at any stage, as long as it occupies its place.</summary>
    public Pool? Holding(PoolId id) => AtPlace((int)(id.Value & PlaceMask)) is { } pool && pool.Id == id ? pool : null;

    public Pool? AtPlace(int place) => (uint)place < (uint)_pools.Length ? Volatile.Read(ref _pools[place]) : null;

    /// <summary>All pools that hold pages for a client: open ones, and those being restored.</summary>
    public IEnumerable<Pool> Living()
    {
        for (var place = 0; place < _pools.Length; place++)
        {
            var pool = Volatile.Read(ref _pools[place]);
            if (pool is { IsEnding: false }) yield return pool;
        }
    }

    /// <summary>All pools that have or may have pages: the living, and those being drained after their end.</summary>
    public List<Pool> Known() => [.. _pools.OfType<Pool>()];

    /// <summary>Runs while no pool is added or removed.</summary>
    public void WhileUnchanged(Action look)
    {
        lock (_change) look();
    }

    /// <summary>A quick test: false if there is nothing ephemeral to evict.</summary>
    public bool AnyEphemeralPages()
    {
        foreach (var pool in _pools)
        {
            if (pool is { IsPersistent: false } && pool.Counters.Sum(Count.Pages) > 0) return true;
        }
        return false;
    }

    /// <summary>Makes a pool, or joins the one with the requested shared id.</summary>
    public TmemStatus Create(ClientState client, in PoolOptions options, out Pool? pool)
    {
        lock (_change)
        {
            if (options.SharedId.IsNone) return Make(client, options, 0, out pool);
            return TryJoin(client, options, out pool) is var joined and not TmemStatus.Miss ? joined
                : MakeShared(client, options, 0, out pool);
        }
    }

    /// <param name="owner">Its owner.</param>
    /// <param name="options">Its options.</param>
    /// <param name="restore">The restore it belongs to, 0 for none.</param>
    /// <param name="pool">The pool.</param>
    private TmemStatus Make(ClientState owner, in PoolOptions options, int restore, out Pool? pool)
    {
        pool = null;
        for (var place = 0; place < _pools.Length; place++)
        {
            ref var entry = ref _entries[place];
            if (_pools[place] is not null || entry.Uses >= MaximumUses) continue;
            if ((_reserves.Any || options.ReserveBytes != 0) && !_reserves.TryAdmit(Pool.ProcessBytes + options.ReserveBytes))
                return TmemStatus.Reserved;
            if (!_spans.TryCharge(Pool.ProcessBytes)) return TmemStatus.NoRoom;
            entry.Uses++;
            var id = new PoolId(entry.Uses << PlaceBits | (uint)place);
            entry.Flags = (uint)options.Flags;
            entry.Owner = owner.Id.Value;
            entry.LimitBytes = options.LimitBytes;
            entry.Policy = PoolEntry.PolicyOf(options);
            entry.SharedLow = options.SharedId.Low;
            entry.SharedHigh = options.SharedId.High;
            entry.Restore = (uint)restore;
            entry.ReserveBytes = options.ReserveBytes;
            pool = new Pool(id, place, owner, options, restore == 0 ? PoolStage.Open : PoolStage.Restoring, _reserves,
                _newPagesCodec)
                { Recompresses = _recompresses };
            Volatile.Write(ref entry.LivingId, id.Value);
            owner.Own(pool);
            if (pool.IsPersistent) _reserves.Add(pool);
            Volatile.Write(ref _pools[place], pool);
            return TmemStatus.Ok;
        }
        return TmemStatus.TooManyPools;
    }

    /// <summary>
    /// Changes a pool's reserve; NoSuchPool if it ended meanwhile, InvalidArgument if it cannot have such a reserve.
    /// </summary>
    public TmemStatus SetReserve(Pool pool, long bytes)
    {
        lock (_change)
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            if (!PoolOptionsCheck.IsReserve(pool.Options, bytes)) return TmemStatus.InvalidArgument;
            var status = _reserves.TrySet(pool, bytes);
            if (status == TmemStatus.Ok) Volatile.Write(ref _entries[pool.Place].ReserveBytes, bytes);
            return status;
        }
    }

    /// <summary>
    /// Changes a pool's limit, with one store of the region; NoSuchPool if it ended meanwhile, InvalidArgument for a negative
    /// limit and one below the reserve.
    /// </summary>
    public TmemStatus SetLimit(Pool pool, long bytes)
    {
        lock (_change)
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            if (bytes < 0 || !PoolOptionsCheck.IsReserve(pool.Options with { LimitBytes = bytes }, pool.ReserveBytes))
                return TmemStatus.InvalidArgument;
            pool.LimitBytes = bytes;
            Volatile.Write(ref _entries[pool.Place].LimitBytes, bytes);
            return TmemStatus.Ok;
        }
    }

    /// <summary>As <see cref="SetLimit"/>, the codec of new pages; otherwise as for a new pool with it.</summary>
    public TmemStatus SetCodec(Pool pool, TmemCodec codec)
    {
        lock (_change)
        {
            if (pool.IsEnding) return TmemStatus.NoSuchPool;
            var options = pool.Options with { Codec = codec, ReserveBytes = pool.ReserveBytes };
            if (PoolOptionsCheck.Of(options) is var check and not TmemStatus.Ok) return check;
            pool.SetCodec(codec);
            Volatile.Write(ref _entries[pool.Place].Policy, PoolEntry.PolicyOf(options));
            return TmemStatus.Ok;
        }
    }

    /// <summary>
    /// A client's part of DESTROY_POOL. False: the client left a shared pool that has other members. True: the pool has ended,
    /// for want of members or because it is not shared; the caller drains it and calls <see cref="Forget"/>. Null: the client has
    /// no part in it any more.
    /// </summary>
    public bool? TryEnd(Pool pool, ClientState client)
    {
        lock (_change)
        {
            if (pool.IsEnding || !pool.Admits(client)) return null;
            if (pool.Members.Length > 0 && Leave(pool, client)) return false;
            End(pool);
            return true;
        }
    }

    private void End(Pool pool)
    {
        pool.Stage = PoolStage.Ending;
        Volatile.Write(ref _entries[pool.Place].LivingId, 0);
        // Others may use the reserve from here on, as the pool's pages go.
        if (pool.ReserveBytes != 0) _ = _reserves.TrySet(pool, 0);
        _entries[pool.Place].ReserveBytes = 0;
    }

    /// <summary>Frees the place of an ended and drained pool.</summary>
    public void Forget(Pool pool, bool countItsPast = true)
    {
        lock (_change)
        {
            if (countItsPast) Retired.AbsorbGone(pool.Counters);
            pool.Owner.Disown(pool);
            if (pool.IsPersistent) _reserves.Remove(pool);
            Volatile.Write(ref _pools[pool.Place], null);
            _spans.Uncharge(Pool.ProcessBytes);
        }
    }

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
            var shared = new SharedId(entry.SharedLow, entry.SharedHigh);
            var members = AdoptMembers(ref entry, shared);
            // It was half restored, or the process died after its last member left and before the pool ended.
            if (WasRestoring(entry) || (!shared.IsNone && members.Length == 0))
            {
                entry.LivingId = 0;
                continue;
            }
            entry.Restore = 0;
            var options = PoolEntry.Options(entry.Flags, entry.Policy, entry.LimitBytes,
                shared) with { ReserveBytes = entry.ReserveBytes };
            if (!PoolOptionsCheck.IsReserve(options, options.ReserveBytes))
            {
                damage.Found($"{id} has a reserve of {entry.ReserveBytes} bytes, which no pool of its kind and limit can have");
                options = options with { ReserveBytes = entry.ReserveBytes = 0 };
            }
            if (!PageSizes.IsServed(options.Flags.PageSize()) || !PageCodecs.IsKnown(options.Codec))
            {
                damage.Found(
                    $"{id} has pages of {options.Flags.PageSize()} bytes and codec {(int)options.Codec}, and there "
                    + "are none such");
                entry.LivingId = 0;
                continue;
            }
            // The region was created within a capacity that had room for them; a smaller one now refuses puts, not pools.
            _spans.Charge(Pool.ProcessBytes);
            var owner = _clients.State(new TmemClientId(entry.Owner));
            var pool = new Pool(id, place, owner, options, PoolStage.Open, _reserves, _newPagesCodec)
            {
                Members = members,
                Recompresses = _recompresses,
            };
            owner.Own(pool);
            if (pool.IsPersistent) _reserves.Add(pool);
            _pools[place] = pool;
        }
        _superblock->OpenRestores = 0;
        _sharing.Adopt(id => FindShared(id) is not null, damage);
    }
}
