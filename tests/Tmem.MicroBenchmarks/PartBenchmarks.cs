using BenchmarkDotNet.Attributes;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.MicroBenchmarks;

/// <summary>The parts that a call goes through: slots, the object's tree, the bucket's tree, latch, counters.</summary>
public unsafe class PartBenchmarks : IDisposable
{
    private const uint Pages = 100_000;
    private const ulong Objects = 100_000;

    private readonly TmemEngine _engine = TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 1L << 30, CompactInBackground = false,
    });
    private readonly PoolCounters _counters = new();
    private readonly ObjectOrder<RegionHost> _order;
    private readonly RadixTree<RegionHost, CompressedStore> _tree;
    private readonly ulong _object;
    private readonly ulong _root;
    private uint _next;
    private int _latch;

    public PartBenchmarks()
    {
        var host = new RegionHost(_engine.Slabs);
        _order = new ObjectOrder<RegionHost>(host);
        _tree = new RadixTree<RegionHost, CompressedStore>(host, new CompressedStore(_engine.Slabs, _engine.Dictionaries));
        _object = NewObject(0);
        for (uint i = 0; i < Pages; i++) _tree.Commit(_object, _tree.MakeLeaf(_object, i, out _), PageDescriptor.FromFill(i));
        for (ulong id = 1; id <= Objects; id++) Treap.Insert(_order, ref _root, NewObject(id), new ObjectId(id));
    }

    [Benchmark(Description = "slot: allocate and free")]
    public void Slot()
    {
        _engine.Slabs.Free(_engine.Slabs.Allocate(SpanKind.PersistentPages, 40));
    }

    [Benchmark(Description = "radix tree: find among 100,000 pages")]
    public ulong RadixFind() => _tree.FindLeaf(_object, (_next += 7919) % Pages);

    [Benchmark(Description = "treap: find among 100,000 objects")]
    public ulong TreapFind() => Treap.Find(_order, _root, new ObjectId((_next += 7919) % Objects + 1));

    [Benchmark(Description = "latch: enter and leave")]
    public void Latch()
    {
        SpinLatch.Enter(ref _latch, LatchRank.Bucket);
        SpinLatch.Exit(ref _latch);
    }

    [Benchmark(Description = "gate: enter and leave")]
    public void Gate()
    {
        using var call = _engine.Gate.Enter();
    }

    [Benchmark(Description = "counter: add")]
    public void Counter() => _counters.Add(Count.Puts);

    [GlobalCleanup]
    public void Dispose() => _engine.Dispose();

    private ulong NewObject(ulong id)
    {
        var place = _engine.Slabs.Allocate(SpanKind.Objects, SizeClasses.Object);
        ref var record = ref *(ObjectRecord*)_engine.Slabs.At(place);
        record = new ObjectRecord { Header = record.Header, Id0 = id };
        return place;
    }
}
