using Tmem.Engine;
using Tmem.Engine.Region;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// An engine with one client and one pool, its pages by number: 65,536 to an object, as files of 256 MiB would have them.
/// Whatever is not the answer a benchmark expects is counted as a wrong page, and the run then ends with code 4.
/// </summary>
internal sealed unsafe class Store : IDisposable
{
    private const int ObjectShift = 16;
    private readonly byte[] _room = GC.AllocateArray<byte>(PageFile.PageSize, pinned: true);
    private long _wrong;

    public Store(long capacity, PoolFlags flags, int descriptor = -1, bool huge = false)
        : this(new EngineOptions
        {
            CapacityBytes = capacity, MaximumCapacityBytes = capacity, RegionDescriptor = descriptor, HugePages = huge,
        }, flags) { }

    public Store(EngineOptions options, PoolFlags flags)
    {
        Engine = TmemEngine.Open(options);
        Client = Engine.Client(new TmemClientId(1));
        if (Client.Pools() is [var pool, ..]) Pool = pool;
        else if (Client.NewPool(new PoolOptions(flags), out pool) == TmemStatus.Ok) Pool = pool;
        else throw new BenchmarkException($"no pool in a store of {options.CapacityBytes} bytes.");
    }

    public TmemEngine Engine { get; }
    public TmemClient Client { get; }
    public PoolId Pool { get; }

    /// <summary>Answers other than the expected one, and pages that came back different.</summary>
    public long Wrong => Interlocked.Read(ref _wrong);

    public void Put(long number, ReadOnlySpan<byte> page) =>
        Expect(Client.Put(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF, page), TmemStatus.Ok);

    public void Get(long number, Span<byte> page) =>
        Expect(Client.Get(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF, page), TmemStatus.Ok);

    /// <summary>A get that may find nothing, as an ephemeral pool's may.</summary>
    public bool TryGet(long number, Span<byte> page) =>
        Client.Get(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF, page) == TmemStatus.Ok;

    public void Flush(long number) =>
        Expect(Client.FlushPage(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF), TmemStatus.Ok);

    /// <summary>Pages from a number on, in one call; a run lies in one object.</summary>
    public void PutRun(long number, ReadOnlySpan<byte> pages) =>
        Expect(Client.PutRange(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF, pages, out _),
            TmemStatus.Ok);

    public void GetRun(long number, Span<byte> pages)
    {
        Span<TmemStatus> outcomes = stackalloc TmemStatus[pages.Length / PageFile.PageSize];
        Expect(Client.GetRange(Pool, new ObjectId((ulong)number >> ObjectShift), (uint)number & 0xFFFF, pages, outcomes),
            TmemStatus.Ok);
    }

    public void FlushRun(long number, int pages)
    {
        var first = (uint)number & 0xFFFF;
        Expect(Client.FlushRange(Pool, new ObjectId((ulong)number >> ObjectShift), first, first + (uint)pages - 1, out var gone),
            TmemStatus.Ok);
        if (gone != pages) Interlocked.Increment(ref _wrong);
    }

    /// <summary>Gets a run and compares every byte.</summary>
    public void CheckRun(long number, Span<byte> room, ReadOnlySpan<byte> pages)
    {
        GetRun(number, room);
        if (!room.SequenceEqual(pages)) Interlocked.Increment(ref _wrong);
    }

    /// <summary>Gets a page and compares every byte.</summary>
    public void Check(long number, ReadOnlySpan<byte> page)
    {
        Get(number, _room);
        if (!page.SequenceEqual(_room)) Interlocked.Increment(ref _wrong);
    }

    /// <summary>Makes room so many times, as puts into a full store do.</summary>
    public void MakeRoom(int times)
    {
        for (var i = 0; i < times; i++)
        {
            var search = new RoomSearch();
            Engine.MakeRoom(ref search);
        }
    }

    public void Dispose() => Engine.Dispose();

    private void Expect(TmemStatus found, TmemStatus expected)
    {
        if (found != expected) Interlocked.Increment(ref _wrong);
    }
}
