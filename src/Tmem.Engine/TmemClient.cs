using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// A client of an engine: the operations of the contract on the pools it owns or shares (docs/contract.md). Every expected
/// outcome is a <see cref="TmemStatus"/>. A page is exactly as long as its pool says, <see cref="PageSize"/> bytes unless the
/// flags say otherwise; in a precompressed pool, 1 byte to that many. All methods may be called from any thread. Page operations
/// allocate no managed memory once the thread has done its first (see <see cref="TmemEngine.PrepareThread"/>).
/// </summary>
public sealed partial class TmemClient
{
    private readonly TmemEngine _engine;
    private readonly ClientState _state;

    internal TmemClient(TmemEngine engine, ClientState state)
    {
        _engine = engine;
        _state = state;
    }

    /// <summary>Bytes of a page, unless the pool's flags say otherwise.</summary>
    public const int PageSize = PageSizes.Smallest;

    /// <summary>The client's number.</summary>
    public TmemClientId Id { get { using var call = _engine.Gate.Enter(); return _state.Id; } }

    /// <summary>
    /// Creates a pool, or joins the one with the requested shared id; the flags must then match that pool's (KindMismatch), and
    /// its limit, codec and policy stay as its creator set them. InvalidFlags for reserved or unknown bits, for a negative limit,
    /// for a reserve that is negative, above the limit or an ephemeral pool's, and for a precompressed pool with a codec or a
    /// policy on pages that do not shrink; UnsupportedPageSize for more than 64 KiB; UnsupportedCodec; InvalidSharedId;
    /// NotAuthorised (<see cref="TmemEngine.Authorise"/>); SharedIdInUse while a pool of that id is being restored; TooManyPools;
    /// NoRoom; Reserved if the pool, or its reserve, does not fit beside what is stored and reserved.
    /// </summary>
    public TmemStatus NewPool(in PoolOptions options, out PoolId pool)
    {
        using var call = _engine.Gate.Enter();
        pool = default;
        var status = PoolOptionsCheck.Of(options);
        if (status != TmemStatus.Ok) return status;
        Pool? created;
        var search = new RoomSearch();
        while ((status = _engine.PoolTable.Create(_state, options, out created)) == TmemStatus.NoRoom
            && _engine.MakeRoom(ref search)) { }
        if (status != TmemStatus.Ok) return status;
        pool = created!.Id;
        if (!created.IsPersistent) _engine.FitGhosts();
        return status;
    }

    /// <summary>
    /// Destroys a pool and every page in it. Its id answers NoSuchPool from then on. A member only leaves a pool with a shared
    /// id; the last to leave destroys it. A client that has left is answered ForeignClient.
    /// </summary>
    public TmemStatus DestroyPool(PoolId pool)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        if (status != TmemStatus.Ok) return status;
        if (_engine.PoolTable.TryEnd(target, _state) is not { } ended) return TmemStatus.NoSuchPool;
        if (!ended) return TmemStatus.Ok;
        _engine.Operations.Removal.Drain(target);
        _engine.PoolTable.Forget(target);
        return TmemStatus.Ok;
    }

    /// <summary>A pool's options and figures.</summary>
    public TmemStatus PoolInfo(PoolId pool, out PoolSnapshot? info)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, out var target);
        info = status == TmemStatus.Ok ? TmemEngine.Snapshot(target) : null;
        return status;
    }

    /// <summary>The pools this client owns or shares.</summary>
    public IReadOnlyList<PoolId> Pools()
    {
        using var call = _engine.Gate.Enter();
        return [.. _engine.PoolTable.Living().Where(pool => pool.IsOpen && pool.Admits(_state)).Select(pool => pool.Id)];
    }

    /// <summary>
    /// Stores a page under a handle, replacing an older one. If the page cannot be stored (NoRoom, PoolLimit, ClientLimit,
    /// Incompressible, Frozen) the older one is flushed too, so that a get never returns what the caller meant to overwrite. A
    /// precompressed pool takes 1 byte to a page and stores it as it is; any other takes whole pages. InvalidArgument for any
    /// other length.
    /// </summary>
    public TmemStatus Put(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolvePage(pool, obj, page.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Pages.Put(target, _state, obj, index, page, keepOld: false) : status;
    }

    /// <summary>As <see cref="Put"/>, but if the page cannot be stored the older one stays: for file systems.</summary>
    public TmemStatus Replace(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolvePage(pool, obj, page.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Pages.Put(target, _state, obj, index, page, keepOld: true) : status;
    }

    /// <summary>
    /// Copies a page out; a private ephemeral pool then no longer has it. Miss if there is none (the buffer is untouched);
    /// Corrupt if the stored page fails its checksum (the buffer's contents are then undefined); Precompressed in a pool of such
    /// pages, whose lengths differ.
    /// </summary>
    public TmemStatus Get(PoolId pool, in ObjectId obj, uint index, Span<byte> page)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, obj, out var target);
        if (status != TmemStatus.Ok) return status;
        if (target.IsPrecompressed) return TmemStatus.Precompressed;
        return page.Length == target.PageSize ? _engine.Operations.Pages.Get(target, obj, index, page, out _)
            : TmemStatus.InvalidArgument;
    }

    /// <summary>
    /// As <see cref="Get(PoolId, in ObjectId, uint, Span{byte})"/>, and returns the page's length: a whole page, or in a
    /// precompressed pool the length it was put with. The buffer has room for a whole page; bytes beyond the length are
    /// untouched.
    /// </summary>
    public TmemStatus Get(PoolId pool, in ObjectId obj, uint index, Span<byte> page, out int length)
    {
        using var call = _engine.Gate.Enter();
        length = 0;
        var status = Resolve(pool, obj, out var target);
        if (status != TmemStatus.Ok) return status;
        return page.Length == target.PageSize ? _engine.Operations.Pages.Get(target, obj, index, page, out length)
            : TmemStatus.InvalidArgument;
    }

    /// <summary>
    /// Copies part of a page out; otherwise a get (operation READ of the Xen tmem ABI), so a private ephemeral pool then no
    /// longer has the page, whichever part was read. InvalidRange for a part that is empty or not within a page; Precompressed.
    /// </summary>
    public TmemStatus Read(PoolId pool, in ObjectId obj, uint index, int offset, Span<byte> part)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolvePart(pool, obj, offset, part.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Parts.Read(target, obj, index, offset, part) : status;
    }

    /// <summary>
    /// Changes part of a stored page (operation WRITE of the Xen tmem ABI); Miss, with nothing stored, if there is none. Atomic:
    /// a get sees the page before or after, and of two concurrent writes neither is lost. If the changed page cannot be stored
    /// (NoRoom, PoolLimit, ClientLimit, Incompressible, Frozen) a persistent pool keeps the page as it was and an ephemeral one
    /// flushes it, as a put does. Corrupt, with nothing changed; InvalidRange and Precompressed as for <see cref="Read"/>.
    /// </summary>
    public TmemStatus Write(PoolId pool, in ObjectId obj, uint index, int offset, ReadOnlySpan<byte> part)
    {
        using var call = _engine.Gate.Enter();
        var status = ResolvePart(pool, obj, offset, part.Length, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Parts.Write(target, _state, obj, index, offset, part) : status;
    }

    /// <summary>
    /// Makes the pages of two handles change places (operation XCHG of the Xen tmem ABI). Atomic: no client, and no process that
    /// attaches after a kill, sees one handle changed and the other not. Miss if either page is missing; PoolMismatch unless both
    /// pools have the same flags and the same policy on pages that do not shrink; PoolLimit or ClientLimit if the larger page
    /// does not fit the other pool's limit or its owner's; Frozen; Corrupt. On any of these nothing has changed. Consumes no page
    /// in any kind of pool.
    /// </summary>
    public TmemStatus Exchange(PoolId poolA, in ObjectId objA, uint indexA, PoolId poolB, in ObjectId objB, uint indexB)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(poolA, objA, out var a);
        if (status != TmemStatus.Ok) return status;
        status = Resolve(poolB, objB, out var b);
        if (status != TmemStatus.Ok) return status;
        if (a.Options.Flags != b.Options.Flags || a.RefusesIncompressible != b.RefusesIncompressible)
            return TmemStatus.PoolMismatch;
        return _engine.Operations.Exchange.Exchange(_state, new PagePlace(a, objA, indexA), new PagePlace(b, objB, indexB));
    }

    /// <summary>Drops one page. Ok if it was there, Miss if not.</summary>
    public TmemStatus FlushPage(PoolId pool, in ObjectId obj, uint index)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, obj, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Removal.FlushPage(target, obj, index) : status;
    }

    /// <summary>Drops all pages an object has when the call begins. Ok if there were any, Miss if not.</summary>
    public TmemStatus FlushObject(PoolId pool, in ObjectId obj)
    {
        using var call = _engine.Gate.Enter();
        return FlushRange(pool, obj, 0, uint.MaxValue, out _);
    }

    /// <summary>
    /// Drops the pages <paramref name="first"/> to <paramref name="last"/>, both included. Ok if there were any, Miss if not.
    /// </summary>
    public TmemStatus FlushRange(PoolId pool, in ObjectId obj, uint first, uint last, out long flushed)
    {
        using var call = _engine.Gate.Enter();
        flushed = 0;
        var status = Resolve(pool, obj, out var target);
        if (status == TmemStatus.Ok && first > last) status = TmemStatus.InvalidArgument;
        return status == TmemStatus.Ok ? _engine.Operations.Removal.FlushRange(target, obj, first, last, out flushed) : status;
    }

    /// <summary>The lowest stored index at or above <paramref name="from"/>. Miss if there is none.</summary>
    public TmemStatus NextPage(PoolId pool, in ObjectId obj, uint from, out uint found)
    {
        using var call = _engine.Gate.Enter();
        found = 0;
        var status = Resolve(pool, obj, out var target);
        return status == TmemStatus.Ok ? _engine.Operations.Search.NextPage(target, obj, from, out found) : status;
    }

    /// <summary>The number of the object's pages: 0 if it does not exist.</summary>
    public TmemStatus CountPages(PoolId pool, in ObjectId obj, out long pages)
    {
        using var call = _engine.Gate.Enter();
        var status = Resolve(pool, obj, out var target);
        pages = status == TmemStatus.Ok ? _engine.Operations.Search.CountPages(target, obj) : 0;
        return status;
    }

    /// <summary>As <see cref="Resolve(PoolId, in ObjectId, out Pool)"/>, for a page of this length to be stored.</summary>
    private TmemStatus ResolvePage(PoolId id, in ObjectId obj, int length, out Pool pool)
    {
        var status = Resolve(id, obj, out pool);
        if (status != TmemStatus.Ok) return status;
        var fits = length == pool.PageSize || (pool.IsPrecompressed && length > 0 && length < pool.PageSize);
        return fits ? TmemStatus.Ok : TmemStatus.InvalidArgument;
    }

    /// <summary>As <see cref="Resolve(PoolId, in ObjectId, out Pool)"/>, for a part of a page.</summary>
    private TmemStatus ResolvePart(PoolId id, in ObjectId obj, int offset, int length, out Pool pool)
    {
        var status = Resolve(id, obj, out pool);
        if (status != TmemStatus.Ok) return status;
        if (pool.IsPrecompressed) return TmemStatus.Precompressed;
        return length > 0 && offset >= 0 && offset <= pool.PageSize - length ? TmemStatus.Ok : TmemStatus.InvalidRange;
    }

    private TmemStatus Resolve(PoolId id, in ObjectId obj, out Pool pool)
    {
        var status = Resolve(id, out pool);
        return status == TmemStatus.Ok && !obj.IsValid ? TmemStatus.InvalidObjectId : status;
    }

    private TmemStatus Resolve(PoolId id, out Pool pool)
    {
        pool = _engine.PoolTable.Find(id)!;
        if (pool is null) return TmemStatus.NoSuchPool;
        return pool.Admits(_state) ? TmemStatus.Ok : TmemStatus.ForeignClient;
    }
}
