using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Pools;

/// <summary>One of a pool's 256 buckets: the ordered tree of the objects that hash to it, under its own latch.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Bucket
{
    public int Latch;
    private readonly int _padding;
    public ulong Root;
}

/// <summary>The stages of a pool's life.</summary>
internal enum PoolStage
{
    /// <summary>Being filled from a stream: it takes memory, and no client can name it.</summary>
    Restoring,

    /// <summary>Open to its clients.</summary>
    Open,

    /// <summary>Being drained: an operation that enters a bucket changes nothing in it.</summary>
    Ending,
}

/// <summary>
/// The process's state of a living pool. What must outlive the process is its <see cref="PoolEntry"/> in the region; buckets and
/// counters are derived from the index. The buckets are an array of the managed heap (pinned, never moved), so that an operation
/// on a pool destroyed meanwhile touches valid memory.
/// </summary>
internal sealed class Pool
{
    public const int BucketCount = 256;

    /// <summary>Process memory that a pool takes beside the region; charged to the capacity.</summary>
    public const long ProcessBytes = BucketCount * 16 + PoolCounters.Bytes + CorruptPages.Bytes + 256;

    private readonly Bucket[] _buckets = GC.AllocateArray<Bucket>(BucketCount, pinned: true);
    private volatile PoolStage _stage;
    private volatile ClientState _owner;
    private volatile ClientState[] _members = [];
    private readonly Reserves _reserves;
    private readonly PoolOptions _made;
    private readonly TmemCodec? _codecForAll;
    private volatile TmemCodec _codec;
    private long _memory;
    private long _reserve;
    private long _limit;
    private bool _recompresses;

    public Pool(PoolId id, int place, ClientState owner, in PoolOptions options, PoolStage stage, Reserves reserves,
        TmemCodec? codec = null)
    {
        Id = id;
        _reserves = reserves;
        _reserve = options.ReserveBytes;
        Place = place;
        _owner = owner;
        _stage = stage;
        _made = options;
        _limit = options.LimitBytes;
        _codec = options.Codec;
        _codecForAll = codec;
        RefusesIncompressible = options.RefuseIncompressible;
        IsPersistent = (options.Flags & PoolFlags.Persistent) != 0;
        IsPrecompressed = (options.Flags & PoolFlags.Precompressed) != 0;
        PageSize = options.Flags.PageSize();
        GetConsumes = !IsPersistent && (options.Flags & PoolFlags.Shared) == 0;
    }

    public PoolId Id { get; }
    public int Place { get; }

    /// <summary>The client that the memory is charged to. When the owner of a shared pool leaves it, another member.</summary>
    public ClientState Owner { get => _owner; set => _owner = value; }

    /// <summary>
    /// The members of a pool with a shared id, including the owner; empty for any other. Never changed in place.
    /// </summary>
    public ClientState[] Members { get => _members; set => _members = value; }

    /// <summary>
    /// The options it was created with, and the limit and codec of now. The reserve may have changed: <see cref="ReserveBytes"/>.
    /// </summary>
    public PoolOptions Options => _made with { LimitBytes = LimitBytes, Codec = _codec };

    /// <summary>The most memory it may take; 0 for no limit. Set by the pool table.</summary>
    public long LimitBytes { get => Volatile.Read(ref _limit); set => Volatile.Write(ref _limit, value); }

    /// <summary>The pool's reserve; set by <see cref="Reserves"/>.</summary>
    public long ReserveBytes { get => Volatile.Read(ref _reserve); set => Volatile.Write(ref _reserve, value); }

    /// <summary>The codec for new pages in this process: the pool's own, or <see cref="EngineOptions.NewPagesCodec"/>.</summary>
    public TmemCodec Codec => _codecForAll ?? _codec;

    /// <summary>Sets the pool's own codec. By the pool table.</summary>
    public void SetCodec(TmemCodec codec) => _codec = codec;

    public bool RefusesIncompressible { get; }
    public int PageSize { get; }
    public bool IsPersistent { get; }
    public bool IsPrecompressed { get; }

    /// <summary>Whether its cold pages are to be recompressed in the background.</summary>
    public bool Recompresses { get => Volatile.Read(ref _recompresses); set => Volatile.Write(ref _recompresses, value); }

    /// <summary>
    /// Whether a get counts a use in the page's slot: for the eviction hands, or for the recompressor's passes.
    /// </summary>
    public bool CountsUses => !IsPersistent || Recompresses;

    /// <summary>A get removes the page: the private ephemeral kind.</summary>
    public bool GetConsumes { get; }
    public PoolCounters Counters { get; } = new();
    public CorruptPages CorruptPages { get; } = new();

    public PoolStage Stage { get => _stage; set => _stage = value; }
    public bool IsOpen => _stage == PoolStage.Open;

    /// <summary>Set before a pool's buckets are drained.</summary>
    public bool IsEnding => _stage == PoolStage.Ending;

    public bool Admits(ClientState client) => _owner == client || Array.IndexOf(_members, client) >= 0;

    public ref Bucket BucketAt(int number) => ref _buckets[number];

    public static int BucketOf(in ObjectId id) => (int)(id.Hash() & (BucketCount - 1));

    /// <summary>Real memory (slots, nodes, objects, records) that counts towards the limit.</summary>
    public long Memory => Volatile.Read(ref _memory);

    /// <summary>
    /// Adds to the memory in use; PoolLimit, ClientLimit or Reserved, with nothing changed, if a growth would exceed a limit or
    /// take what is reserved. Checked before it is added: a refused growth is never part of a sum, so it cannot keep out one that
    /// fits.
    /// </summary>
    /// <param name="bytes">The bytes it takes; negative to give back.</param>
    /// <param name="asksClient">Whether the owner's limit counts.</param>
    /// <param name="asksReserves">
    /// Whether others' reserves count. Pages of an ephemeral pool do not check them: they are evicted when the room is needed.
    /// </param>
    /// <param name="isRecord">It is a record, which stays in an ephemeral pool too.</param>
    public TmemStatus TryGrow(long bytes, bool asksClient = true, bool asksReserves = true, bool isRecord = false)
    {
        if (bytes <= 0)
        {
            if (bytes == 0) return TmemStatus.Ok;
            var left = Interlocked.Add(ref _memory, bytes);
            Debug.Assert(left >= 0, "a pool gives back what it took");
            return TmemStatus.Ok;
        }
        asksReserves = asksReserves && (IsPersistent || isRecord) && _reserves.Any;
        return asksClient && _owner is { HasLimit: true } owner ? owner.TryGrow(this, bytes, asksReserves)
            : TryGrowAlone(bytes, asksReserves);
    }

    /// <summary>Whether a growth would exceed the pool's own limit.</summary>
    public bool IsTooMuch(long bytes) => LimitBytes is not 0 and var limit && Memory + bytes > limit;

    /// <summary>As <see cref="TryGrow"/>, without the owner's limit.</summary>
    public TmemStatus TryGrowAlone(long bytes, bool asksReserves)
    {
        var limit = LimitBytes;
        if (limit == 0 && !asksReserves)
        {
            Interlocked.Add(ref _memory, bytes);
            return TmemStatus.Ok;
        }
        var now = Memory;
        while (true)
        {
            if (limit != 0 && now + bytes > limit) return TmemStatus.PoolLimit;
            if (asksReserves && now + bytes > ReserveBytes)
            {
                if (!_reserves.TryAdmit(bytes)) return TmemStatus.Reserved;
                asksReserves = false;
            }
            var seen = Interlocked.CompareExchange(ref _memory, now + bytes, now);
            if (seen == now) return TmemStatus.Ok;
            now = seen;
        }
    }

    /// <summary>Adds what an attached region already holds, regardless of the limit.</summary>
    public void Adopt(long bytes) => Interlocked.Add(ref _memory, bytes);

    /// <summary>Counts a page that failed its checksum or did not unpack, and remembers its handle.</summary>
    public void CountCorrupt(in ObjectId id, uint index)
    {
        Counters.Add(Count.CorruptPages);
        CorruptPages.Note(id, index);
    }

    public void CountIndex(int nodes, int objects)
    {
        if (nodes == 0 && objects == 0) return;
        Counters.Add(Count.IndexBytes, (long)nodes * RadixNode.Bytes + (long)objects * ObjectRecord.Bytes);
        if (objects != 0) Counters.Add(Count.Objects, objects);
    }
}
