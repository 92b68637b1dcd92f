using System.Runtime.InteropServices;
using Tmem.Engine.Clients;
using Tmem.Engine.Codec;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Records;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// A store of compressed pages with the contract of transcendent memory, in one region. Open it, ask it for a client, and let the client
/// make pools. All members may be used from any thread.
/// </summary>
public sealed unsafe partial class TmemEngine : IDisposable
{
    private readonly RegionMemory _memory;
    private readonly Superblock* _superblock;
    private readonly SpanPool _spans;
    private readonly SlabAllocator _slabs;
    private bool _disposed;

    private TmemEngine(RegionMemory memory, long capacity, bool attach)
    {
        _memory = memory;
        _superblock = (Superblock*)memory.Start;
        _spans = new SpanPool(memory, _superblock->SpanCount, capacity);
        _slabs = new SlabAllocator(memory, _spans);
        ClientTable = new ClientTable(memory);
        PoolTable = new PoolTable(memory, _spans, ClientTable);
        var hand = new EvictionHand(_slabs, PoolTable, ClientTable);
        _slabs.Reclaimer = hand;
        Operations = new RegionOperations(new RegionHost(_slabs), new CompressedStore<Lz4Codec>(_slabs, default), hand);
        hand.Serve(Operations);
        Records = new RecordStore(_slabs, _superblock);
        Attached = attach;
        if (attach)
        {
            _spans.Adopt();
            ClientTable.Adopt();
            PoolTable.Adopt();
            using var walk = new AttachWalk(_slabs, PoolTable, memory.Name);
            walk.Run();
        }
        _superblock->Generation++;
        _superblock->Closed = 0;
    }

    /// <summary>True when <see cref="Open"/> found a region and rebuilt from it.</summary>
    public bool Attached { get; }

    /// <summary>Fixed-size records in the region for the embedder (file-system metadata).</summary>
    public RecordStore Records { get; }

    /// <summary>The name of the codec of new pages.</summary>
    public static string CodecName => Lz4Codec.Name;

    internal RegionOperations Operations { get; }
    internal ClientTable ClientTable { get; }
    internal PoolTable PoolTable { get; }
    internal SlabAllocator Slabs => _slabs;
    internal RegionMemory Memory => _memory;

    /// <summary>
    /// Creates an empty region, or attaches to the one that <paramref name="options"/> names if it holds one: its pools and pages are then
    /// there again, under the capacity given now.
    /// </summary>
    /// <exception cref="ArgumentException">A capacity below <see cref="EngineOptions.MinimumCapacity"/>, or above the maximum given.</exception>
    /// <exception cref="RegionException">A file that is no region, of another version, damaged, in use, or without memory behind it.</exception>
    public static TmemEngine Open(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.CapacityBytes < EngineOptions.MinimumCapacity)
            throw new ArgumentException($"a capacity of {options.CapacityBytes} bytes is below the smallest, {EngineOptions.MinimumCapacity}", nameof(options));
        var memory = RegionOpener.Open(options, out var attach);
        try
        {
            return new TmemEngine(memory, options.CapacityBytes, attach);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>All figures.</summary>
    public EngineStatistics Statistics()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var pools = new List<PoolSnapshot>();
        var total = new PoolCounters();
        total.Absorb(PoolTable.Retired);
        foreach (var pool in PoolTable.Living())
        {
            total.Absorb(pool.Counters);
            if (pool.IsOpen) pools.Add(Snapshot(pool));
        }
        return new EngineStatistics
        {
            CapacityBytes = _spans.Capacity,
            UsedBytes = _spans.Used,
            PeakUsedBytes = _spans.Peak,
            PageSpanBytes = _slabs.PageSpans * RegionLayout.SpanBytes,
            RecordSpanBytes = _slabs.RecordSpans * RegionLayout.SpanBytes,
            ReadySpanBytes = _spans.Ready * RegionLayout.SpanBytes,
            Spans = _spans.InUse,
            SpansReturned = _spans.Returned,
            Generation = _superblock->Generation,
            Total = total.Read(RegionLayout.PageSize),
            Pools = pools,
        };
    }

    /// <summary>The two figures that a file system's statfs needs, without the cost of a snapshot.</summary>
    /// <returns>Capacity and bytes in use.</returns>
    public (long Capacity, long Used) Room() => (_spans.Capacity, _spans.Used);

    /// <summary>Allocates and touches what the calling thread needs, so that the data path never grows anything.</summary>
    public void PrepareThread()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Scratch.Current.Stored.Clear();
        Scratch.Current.Compressed.Clear();
    }

    /// <summary>
    /// Walks index, slots, spans and counters and unpacks every page. Safe while others work: they wait for the walk over the structure
    /// (about 0.2 s a million pages) and not for the pages. <paramref name="quiescent"/> says that nobody does, and adds the counters'
    /// agreement with what was walked.
    /// </summary>
    public VerifierReport Verify(bool quiescent = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        using var verifier = new TmemVerifier(_slabs, PoolTable, Operations);
        return verifier.Run(quiescent);
    }

    internal static PoolSnapshot Snapshot(Pool pool) =>
        new(pool.Id, pool.Owner.Id, pool.Options, pool.PageSize, pool.Counters.Read(pool.PageSize));

    /// <summary>Lets go of the region. A region in a file, or in a descriptor that somebody else still holds, can be attached again.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _superblock->Closed = 1;
        _memory.Flush();
        _slabs.Dispose();
        _memory.Dispose();
    }
}
