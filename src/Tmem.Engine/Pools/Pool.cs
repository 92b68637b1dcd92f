using System.Runtime.InteropServices;
using Tmem.Engine.Clients;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Index;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>One of a pool's 256 buckets: the ordered tree of the objects that hash to it, under its own latch.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Bucket
{
    public int Latch;
    private readonly int _padding;
    public ulong Root;
}

/// <summary>Where a pool stands between being made and being gone.</summary>
internal enum PoolStage
{
    /// <summary>Being filled from a stream: it takes memory and nobody can name it.</summary>
    Restoring,

    /// <summary>There for its clients.</summary>
    Open,

    /// <summary>Being emptied: whoever enters a bucket leaves it as it is.</summary>
    Ending,
}

/// <summary>
/// A living pool, as the process sees it. What must outlive the process is its <see cref="PoolEntry"/> in the region; buckets and
/// counters are derived from the index. The buckets are an array of the managed heap (pinned, never moved), so that an operation that
/// still holds a pool destroyed under it touches memory that is there.
/// </summary>
internal sealed class Pool
{
    public const int BucketCount = 256;

    /// <summary>Memory of the process that a pool takes beside the region; charged to the capacity.</summary>
    public const long ProcessBytes = BucketCount * 16 + PoolCounters.Bytes + CorruptPages.Bytes + 256;

    private readonly Bucket[] _buckets = GC.AllocateArray<Bucket>(BucketCount, pinned: true);
    private volatile PoolStage _stage;
    private volatile ClientState _owner;
    private volatile ClientState[] _members = [];
    private long _memory;

    public Pool(PoolId id, int place, ClientState owner, in PoolOptions options, PoolStage stage, TmemCodec? codec = null)
    {
        Id = id;
        Place = place;
        _owner = owner;
        _stage = stage;
        Options = options;
        Codec = codec ?? options.Codec;
        IsPersistent = (options.Flags & PoolFlags.Persistent) != 0;
        IsPrecompressed = (options.Flags & PoolFlags.Precompressed) != 0;
        PageSize = options.Flags.PageSize();
        GetConsumes = !IsPersistent && (options.Flags & PoolFlags.Shared) == 0;
    }

    public PoolId Id { get; }
    public int Place { get; }

    /// <summary>Whose memory this is. When the owner of a shared pool leaves it, another member's.</summary>
    public ClientState Owner { get => _owner; set => _owner = value; }

    /// <summary>Who shares a pool that has a shared id, the owner among them; empty for any other. Never changed in place.</summary>
    public ClientState[] Members { get => _members; set => _members = value; }
    public PoolOptions Options { get; }

    /// <summary>What new pages are compressed with in this process: the pool's own codec, or the one that <see cref="EngineOptions.NewPagesCodec"/> names.</summary>
    public TmemCodec Codec { get; }
    public int PageSize { get; }
    public bool IsPersistent { get; }
    public bool IsPrecompressed { get; }

    /// <summary>A get takes the page away: the private ephemeral kind.</summary>
    public bool GetConsumes { get; }
    public PoolCounters Counters { get; } = new();
    public CorruptPages CorruptPages { get; } = new();

    public PoolStage Stage { get => _stage; set => _stage = value; }
    public bool IsOpen => _stage == PoolStage.Open;

    /// <summary>Set before a pool's buckets are emptied.</summary>
    public bool IsEnding => _stage == PoolStage.Ending;

    public bool Admits(ClientState client) => _owner == client || Array.IndexOf(_members, client) >= 0;

    public ref Bucket BucketAt(int number) => ref _buckets[number];

    public static int BucketOf(in ObjectId id) => (int)(id.Hash() & (BucketCount - 1));

    /// <summary>Real memory (slots, nodes, objects, records) that counts towards the limit.</summary>
    public long Memory => Volatile.Read(ref _memory);

    /// <summary>Adds to the memory in use; PoolLimit or ClientLimit, with nothing changed, if a growth would pass a limit.</summary>
    public TmemStatus TryGrow(long bytes, bool asksClient = true)
    {
        if (bytes == 0) return TmemStatus.Ok;
        var now = Interlocked.Add(ref _memory, bytes);
        if (bytes < 0) return TmemStatus.Ok;
        TmemStatus status;
        if (Options.LimitBytes != 0 && now > Options.LimitBytes) status = TmemStatus.PoolLimit;
        else if (asksClient && _owner.IsOverLimit) status = TmemStatus.ClientLimit;
        else return TmemStatus.Ok;
        Interlocked.Add(ref _memory, -bytes);
        return status;
    }

    /// <summary>Adds what an attached region holds already, whatever the limit says.</summary>
    public void Adopt(long bytes) => Interlocked.Add(ref _memory, bytes);

    /// <summary>Counts a page that failed its checksum or did not unpack, and remembers which it was.</summary>
    public void CountCorrupt(in ObjectId id, uint index)
    {
        Counters.Add(Count.Corrupt);
        CorruptPages.Note(id, index);
    }

    public void CountIndex(int nodes, int objects)
    {
        if (nodes == 0 && objects == 0) return;
        Counters.Add(Count.IndexBytes, (long)nodes * RadixNode.Bytes + (long)objects * ObjectRecord.Bytes);
        if (objects != 0) Counters.Add(Count.Objects, objects);
    }
}
