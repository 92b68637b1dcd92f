using System.Runtime.InteropServices;
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

/// <summary>
/// A living pool, as the process sees it. What must outlive the process is its <see cref="PoolEntry"/> in the region; buckets and
/// counters are derived from the index. The buckets are an array of the managed heap (pinned, never moved), so that an operation that
/// still holds a pool destroyed under it touches memory that is there.
/// </summary>
internal sealed class Pool
{
    public const int BucketCount = 256;

    /// <summary>Memory of the process that a pool takes beside the region; charged to the capacity.</summary>
    public const long ProcessBytes = BucketCount * 16 + PoolCounters.Bytes + 256;

    private readonly Bucket[] _buckets = GC.AllocateArray<Bucket>(BucketCount, pinned: true);
    private volatile bool _dying;
    private long _memory;

    public Pool(PoolId id, int place, ClientId owner, in PoolOptions options)
    {
        Id = id;
        Place = place;
        Owner = owner;
        Options = options;
        IsPersistent = (options.Flags & PoolFlags.Persistent) != 0;
        IsPrecompressed = (options.Flags & PoolFlags.Precompressed) != 0;
        PageSize = options.Flags.PageSize();
        GetConsumes = !IsPersistent && (options.Flags & PoolFlags.Shared) == 0;
    }

    public PoolId Id { get; }
    public int Place { get; }
    public ClientId Owner { get; }
    public PoolOptions Options { get; }
    public int PageSize { get; }
    public bool IsPersistent { get; }
    public bool IsPrecompressed { get; }

    /// <summary>A get takes the page away: the private ephemeral kind.</summary>
    public bool GetConsumes { get; }
    public PoolCounters Counters { get; } = new();

    /// <summary>Set before a pool's buckets are emptied; whoever enters a bucket afterwards leaves it as it is.</summary>
    public bool Dying { get => _dying; set => _dying = value; }

    public ref Bucket BucketAt(int number) => ref _buckets[number];

    public static int BucketOf(in ObjectId id) => (int)(id.Hash() & (BucketCount - 1));

    /// <summary>Real memory (slots, nodes, objects) that counts towards the limit.</summary>
    public long Memory => Volatile.Read(ref _memory);

    /// <summary>Adds to the memory in use; false, with nothing changed, if a growth would pass the limit.</summary>
    public bool TryGrow(long bytes)
    {
        var now = Interlocked.Add(ref _memory, bytes);
        if (bytes <= 0 || Options.LimitBytes == 0 || now <= Options.LimitBytes) return true;
        Interlocked.Add(ref _memory, -bytes);
        return false;
    }

    /// <summary>Adds what an attached region holds already, whatever the limit says.</summary>
    public void Adopt(long bytes) => Interlocked.Add(ref _memory, bytes);

    public void CountIndex(int nodes, int objects)
    {
        if (nodes == 0 && objects == 0) return;
        Counters.Add(Count.IndexBytes, (long)nodes * RadixNode.Bytes + (long)objects * ObjectRecord.Bytes);
        if (objects != 0) Counters.Add(Count.Objects, objects);
    }
}
