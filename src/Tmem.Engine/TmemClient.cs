using Tmem.Engine.Clients;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>
/// A client of an engine: the operations of the contract on the pools it owns or shares (docs/contract.md). Every expected outcome is a
/// <see cref="TmemStatus"/>. Pages are exactly <see cref="PageSize"/> bytes. All methods may be called from any thread, and none of the page
/// operations allocates managed memory once the thread has done its first (see <see cref="TmemEngine.PrepareThread"/>).
/// </summary>
public sealed partial class TmemClient
{
    private const uint ReservedFlags = 0x00FFFF00;
    private const uint KnownFlags = (uint)(PoolFlags.Persistent | PoolFlags.Shared | PoolFlags.Precompressed);
    private const uint PageSizeField = 0xF0;

    private readonly TmemEngine _engine;
    private readonly ClientState _state;

    internal TmemClient(TmemEngine engine, ClientState state)
    {
        _engine = engine;
        _state = state;
    }

    /// <summary>Bytes of a page.</summary>
    public const int PageSize = Region.RegionLayout.PageSize;

    /// <summary>The client's number.</summary>
    public ClientId Id => _state.Id;

    /// <summary>
    /// Creates a pool, or joins the one that has the shared id asked for; the flags must then be that pool's (KindMismatch), and its limit and
    /// policy stay what its maker asked for. InvalidFlags for reserved or unknown bits and for a negative limit; UnsupportedPageSize for any
    /// but 4 KiB pages, and for precompressed ones; InvalidSharedId; NotAuthorised (<see cref="TmemEngine.Authorise"/>); SharedIdInUse while a
    /// pool of that id is being restored; TooManyPools; NoRoom.
    /// </summary>
    public TmemStatus NewPool(in PoolOptions options, out PoolId pool)
    {
        pool = default;
        var status = Check(options);
        if (status != TmemStatus.Ok) return status;
        status = _engine.PoolTable.Create(_state, options, out var created);
        if (status == TmemStatus.Ok) pool = created!.Id;
        return status;
    }

    /// <summary>Whether options are ones a pool can have.</summary>
    internal static TmemStatus Check(in PoolOptions options)
    {
        var flags = (uint)options.Flags;
        if ((flags & ReservedFlags) != 0 || (flags & ~(KnownFlags | PageSizeField)) != 0 || options.LimitBytes < 0) return TmemStatus.InvalidFlags;
        if ((flags & PageSizeField) != 0 || (options.Flags & PoolFlags.Precompressed) != 0) return TmemStatus.UnsupportedPageSize;
        var isOfSharedKind = (options.Flags & PoolFlags.Shared) != 0;
        return options.SharedId.IsReserved || (!options.SharedId.IsNone && !isOfSharedKind) ? TmemStatus.InvalidSharedId : TmemStatus.Ok;
    }

    /// <summary>
    /// Destroys a pool and every page in it. Its id answers NoSuchPool from then on. A pool with a shared id is left, and destroyed by the last
    /// to leave; whoever left it is answered ForeignClient.
    /// </summary>
    public TmemStatus DestroyPool(PoolId pool)
    {
        var status = Resolve(pool, out var target);
        if (status != TmemStatus.Ok) return status;
        if (_engine.PoolTable.TryEnd(target, _state) is not { } ended) return TmemStatus.NoSuchPool;
        if (!ended) return TmemStatus.Ok;
        _engine.Operations.Drain(target);
        _engine.PoolTable.Forget(target);
        return TmemStatus.Ok;
    }

    /// <summary>What a pool was created as, and its figures.</summary>
    public TmemStatus PoolInfo(PoolId pool, out PoolSnapshot? info)
    {
        var status = Resolve(pool, out var target);
        info = status == TmemStatus.Ok ? TmemEngine.Snapshot(target) : null;
        return status;
    }

    /// <summary>The pools this client owns or shares.</summary>
    public IReadOnlyList<PoolId> Pools() =>
        [.. _engine.PoolTable.Living().Where(pool => pool.IsOpen && pool.Admits(_state)).Select(pool => pool.Id)];

    /// <summary>
    /// Stores a page under a handle, in the place of an older one. If it cannot be stored (NoRoom, PoolLimit, ClientLimit, Incompressible,
    /// Frozen) the older one is flushed too, so that a get never returns what the caller meant to overwrite.
    /// </summary>
    public TmemStatus Put(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        var status = Resolve(pool, obj, page.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Put(target, _state, obj, index, page, keepOld: false) : status;
    }

    /// <summary>As <see cref="Put"/>, but if the page cannot be stored the older one stays: what a file system needs.</summary>
    public TmemStatus Replace(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        var status = Resolve(pool, obj, page.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Put(target, _state, obj, index, page, keepOld: true) : status;
    }

    /// <summary>
    /// Copies a page out; a private ephemeral pool then no longer has it. Miss if there is none (the buffer is untouched); Corrupt if what is
    /// stored fails its checksum (the buffer's contents are then undefined).
    /// </summary>
    public TmemStatus Get(PoolId pool, in ObjectId obj, uint index, Span<byte> page)
    {
        var status = Resolve(pool, obj, page.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Get(target, obj, index, page) : status;
    }

    /// <summary>Drops one page. Ok if it was there, Miss if not.</summary>
    public TmemStatus FlushPage(PoolId pool, in ObjectId obj, uint index)
    {
        var status = Resolve(pool, obj, PageSize, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.FlushPage(target, obj, index) : status;
    }

    /// <summary>Drops all pages an object has when the call begins. Ok if there was any, Miss if not.</summary>
    public TmemStatus FlushObject(PoolId pool, in ObjectId obj) => FlushRange(pool, obj, 0, uint.MaxValue, out _);

    /// <summary>Drops the pages <paramref name="first"/> to <paramref name="last"/>, both included. Ok if there was any, Miss if not.</summary>
    public TmemStatus FlushRange(PoolId pool, in ObjectId obj, uint first, uint last, out long flushed)
    {
        flushed = 0;
        var status = Resolve(pool, obj, first <= last ? PageSize : 0, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.FlushRange(target, obj, first, last, out flushed) : status;
    }

    /// <summary>The lowest stored index at or above <paramref name="from"/>. Miss if there is none.</summary>
    public TmemStatus NextPage(PoolId pool, in ObjectId obj, uint from, out uint found)
    {
        found = 0;
        var status = Resolve(pool, obj, PageSize, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.NextPage(target, obj, from, out found) : status;
    }

    /// <summary>How many pages the object has now: 0 if it is not there.</summary>
    public TmemStatus CountPages(PoolId pool, in ObjectId obj, out long pages)
    {
        var status = Resolve(pool, obj, PageSize, out var target);
        pages = status == TmemStatus.Ok ? _engine.Operations.CountPages(target, obj) : 0;
        return status;
    }

    private TmemStatus Resolve(PoolId id, in ObjectId obj, int pageLength, out Pool pool)
    {
        var status = Resolve(id, out pool);
        if (status != TmemStatus.Ok) return status;
        if (!obj.IsValid) return TmemStatus.InvalidObjectId;
        return pageLength == PageSize ? TmemStatus.Ok : TmemStatus.InvalidArgument;
    }

    private TmemStatus Resolve(PoolId id, out Pool pool)
    {
        pool = _engine.PoolTable.Find(id)!;
        if (pool is null) return TmemStatus.NoSuchPool;
        return pool.Admits(_state) ? TmemStatus.Ok : TmemStatus.ForeignClient;
    }
}
