using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// The account of real memory: superblock and pool table, the touched part of the span table, the present pages of all spans, and
/// what the process keeps beside the region for it (<see cref="TryCharge"/>). It never exceeds the capacity: an allocation is
/// refused first.
/// </summary>
internal sealed unsafe partial class SpanPool
{
    private readonly long[] _present = new long[(int)SpanKind.Dictionaries + 1];
    private long _charged;
    private long _peak;
    /// <summary>Passes the peak to the process that serves the region next; null for none.</summary>
    private readonly long* _peakWord;
    private long _overrun;
    private long _capacity;
    private long _float;
    private int _floatOwner;

    public long Peak => Volatile.Read(ref _peak);

    /// <summary>
    /// The most by which a checked allocation has exceeded the capacity since it was set: 0 unless there is a bug.
    /// </summary>
    public long Overrun => Volatile.Read(ref _overrun);

    /// <summary>For tests: refuses nothing, as a bug would.</summary>
    internal bool RefusesNothing { get; set; }

    public long Used
    {
        get
        {
            SpinLatch.Enter(ref _latch, LatchRank.Spans);
            var used = UsedNow();
            SpinLatch.Exit(ref _latch);
            return used;
        }
    }

    /// <summary>
    /// The limit on real memory. If it is lowered below the use, allocations are refused until enough has been given back.
    /// </summary>
    public long Capacity
    {
        get => Volatile.Read(ref _capacity);
        set
        {
            SpinLatch.Enter(ref _latch, LatchRank.Spans);
            _capacity = value;
            SetPeak(UsedNow());
            _overrun = 0;
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>
    /// Memory that only the recompressor may take: in a full store it needs some for smaller slots before it can free larger
    /// ones. 0 without one.
    /// </summary>
    public long Float
    {
        get => Volatile.Read(ref _float);
        set
        {
            SpinLatch.Enter(ref _latch, LatchRank.Spans);
            _float = value;
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>Lets the calling thread, and no other, take the float.</summary>
    public void TakeFloat() => Volatile.Write(ref _floatOwner, Environment.CurrentManagedThreadId);

    /// <summary>The room that there is for others than the recompressor.</summary>
    public long Room => Capacity - Float;

    /// <summary>
    /// What a store of that capacity needs besides the slots of pages and index: tables, the process's part, and records and
    /// dictionaries, whose spans are not compacted.
    /// </summary>
    public long FixedBytes(long capacity) =>
        RegionLayout.TablesBytes + TableBytes(Math.Min(Count, RegionLayout.SpansFor(capacity)))
        + Volatile.Read(ref _charged) + BytesOf(SpanKind.Records) + BytesOf(SpanKind.Dictionaries)
        + Float;

    /// <summary>Real memory of the spans of one kind.</summary>
    public long BytesOf(SpanKind kind) => Volatile.Read(ref _present[(int)kind]) * RegionLayout.PageSize;

    /// <summary>
    /// Charges memory that the process keeps beside the region (a pool's buckets). False if there is no room for it.
    /// </summary>
    public bool TryCharge(long bytes)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var fits = Fits(bytes);
        if (fits)
        {
            _charged += bytes;
            NoteGrowth();
        }
        SpinLatch.Exit(ref _latch);
        return fits;
    }

    /// <summary>Charges memory already in use.</summary>
    public void Charge(long bytes)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        _charged += bytes;
        NotePeak();
        SpinLatch.Exit(ref _latch);
    }

    public void Uncharge(long bytes)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        _charged -= bytes;
        SpinLatch.Exit(ref _latch);
    }

    private bool TryAccount(SpanKind kind, int pages)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var fits = Fits((long)pages * RegionLayout.PageSize);
        if (fits)
        {
            _present[(int)kind] += pages;
            NoteGrowth();
        }
        SpinLatch.Exit(ref _latch);
        return fits;
    }

    private void Unaccount(SpanKind kind, int pages)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        _present[(int)kind] -= pages;
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>Whether there is room, after releasing the memory of empty spans if need be.</summary>
    private bool Fits(long bytes)
    {
        var most = _float == 0 || Environment.CurrentManagedThreadId == _floatOwner ? _capacity : _capacity - _float;
        if (UsedNow() + bytes <= most || RefusesNothing) return true;
        if (_ready == 0) return false;
        ReleaseReadyLatched();
        return UsedNow() + bytes <= most;
    }

    private long UsedNow()
    {
        var pages = _ready;
        foreach (var present in _present) pages += present;
        return RegionLayout.TablesBytes + TableBytes(_highWater) + _charged + pages * RegionLayout.PageSize;
    }

    /// <summary>After a checked allocation that was not refused.</summary>
    private void NoteGrowth()
    {
        NotePeak();
        var over = UsedNow() - _capacity;
        if (over > _overrun) _overrun = over;
    }

    private void NotePeak()
    {
        if (UsedNow() is var used && used > _peak) SetPeak(used);
    }

    private void SetPeak(long bytes)
    {
        _peak = bytes;
        if (_peakWord != null) Volatile.Write(ref *_peakWord, bytes);
    }
}
