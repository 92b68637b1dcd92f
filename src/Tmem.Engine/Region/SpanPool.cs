using System.Runtime.CompilerServices;

namespace Tmem.Engine.Region;

/// <summary>
/// Hands out spans and keeps the account of real memory. A span is untouched (never used, or given back: no memory), ready (populated
/// and empty, waiting) or in use. Untouched spans are populated a run at a time, because a first touch page by page costs the swap-out
/// path a fault each; a few ready ones are kept so that a class that empties and fills again makes no system call.
/// <para>The account: superblock and pool table, the touched part of the span table, ready spans and spans in use, and what the process
/// keeps beside the region for it (<see cref="TryCharge"/>). It never exceeds the capacity: a taker is refused first.</para>
/// </summary>
internal sealed unsafe class SpanPool
{
    private const int PopulateRun = 16;
    private const int MostReady = 32;

    private readonly RegionMemory _memory;
    private readonly long _header;
    private int _latch;
    private uint _readyHead;
    private uint _returnedHead;
    private long _highWater;
    private long _ready;
    private long _inUse;
    private long _charged;
    private long _peak;
    private long _returns;
    private readonly long _capacity;

    public SpanPool(RegionMemory memory, long spans, long capacity)
    {
        _memory = memory;
        Count = spans;
        _header = RegionLayout.HeaderBytes(spans);
        Table = (SpanEntry*)(memory.Start + RegionLayout.SpanTableOffset);
        _capacity = capacity;
    }

    public SpanEntry* Table { get; }

    /// <summary>Spans the region can ever have.</summary>
    public long Count { get; }

    /// <summary>Spans at or above this one have never been used since creation.</summary>
    public long HighWater => Volatile.Read(ref _highWater);
    public long Ready => Volatile.Read(ref _ready);
    public long InUse => Volatile.Read(ref _inUse);
    public long Returned => Volatile.Read(ref _returns);
    public long Peak => Volatile.Read(ref _peak);
    public long Capacity => _capacity;
    public long Used { get { SpinLatch.Enter(ref _latch); var used = UsedNow(); SpinLatch.Exit(ref _latch); return used; } }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Start(uint span) => _memory.Start + _header + ((long)span << RegionLayout.SpanShift);

    /// <summary>The span a place (byte offset in the region) lies in. The caller knows the place to be in a slab.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint SpanOf(ulong place) => (uint)((place - (ulong)_header) >> RegionLayout.SpanShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong PlaceOf(uint span) => (ulong)_header + ((ulong)span << RegionLayout.SpanShift);

    /// <summary>Whether a place, which may come from anywhere, lies in a span that has been used.</summary>
    public bool Contains(ulong place) =>
        place >= (ulong)_header && place < (ulong)_header + ((ulong)HighWater << RegionLayout.SpanShift);

    /// <summary>Takes a span for slots of one class. False when the capacity (or the system's memory) has no room for it.</summary>
    public bool TryTake(SpanKind kind, int sizeClass, out uint span)
    {
        SpinLatch.Enter(ref _latch);
        try
        {
            if (_readyHead == 0 && !PopulateMore())
            {
                span = 0;
                return false;
            }
            span = _readyHead - 1;
            ref var entry = ref Table[span];
            _readyHead = entry.Next;
            _ready--;
            _inUse++;
            // Where a slot's own first word is the truth (objects, records), none may be left over from the span's last use.
            if (kind is SpanKind.Objects or SpanKind.Records) new Span<byte>(Start(span), RegionLayout.SpanBytes).Clear();
            entry = new SpanEntry { Class = (byte)sizeClass };
            Volatile.Write(ref Unsafe.As<SpanKind, byte>(ref entry.Kind), (byte)kind);
            return true;
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>Takes back an empty span: kept ready for the next taker, or returned to the system.</summary>
    public void Return(uint span)
    {
        SpinLatch.Enter(ref _latch);
        Table[span] = default;
        _inUse--;
        if (_ready < MostReady && UsedNow() <= _capacity - RegionLayout.SpanBytes)
        {
            Push(ref _readyHead, span);
            _ready++;
        }
        else
        {
            _memory.Punch((long)PlaceOf(span), RegionLayout.SpanBytes);
            Push(ref _returnedHead, span);
            _returns++;
        }
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>Charges memory that the process keeps beside the region (a pool's buckets). False if there is no room for it.</summary>
    public bool TryCharge(long bytes)
    {
        SpinLatch.Enter(ref _latch);
        var fits = UsedNow() + bytes <= _capacity;
        if (fits)
        {
            _charged += bytes;
            NotePeak();
        }
        SpinLatch.Exit(ref _latch);
        return fits;
    }

    /// <summary>Charges what is there already.</summary>
    public void Charge(long bytes)
    {
        SpinLatch.Enter(ref _latch);
        _charged += bytes;
        NotePeak();
        SpinLatch.Exit(ref _latch);
    }

    public void Uncharge(long bytes)
    {
        SpinLatch.Enter(ref _latch);
        _charged -= bytes;
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>
    /// Takes the account of an attached region: every span of a kind other than free is in use; every free one goes back to the system.
    /// </summary>
    public void Adopt()
    {
        for (long span = Count - 1; span >= 0; span--)
        {
            ref var entry = ref Table[span];
            if (entry.Kind == SpanKind.Free) continue;
            _highWater = span + 1;
            break;
        }
        for (long span = _highWater - 1; span >= 0; span--)
        {
            if (Table[span].Kind != SpanKind.Free) { _inUse++; continue; }
            _memory.Punch((long)PlaceOf((uint)span), RegionLayout.SpanBytes);
            Table[span] = default;
            Push(ref _returnedHead, (uint)span);
        }
        // Spans that were ready beyond the last one used hold memory too.
        var last = (long)PlaceOf((uint)_highWater);
        var ready = Math.Min((MostReady + PopulateRun) * (long)RegionLayout.SpanBytes, _memory.Length - last);
        if (ready > 0) _memory.Punch(last, ready);
        NotePeak();
    }

    private void Push(ref uint head, uint span)
    {
        Table[span].Next = head;
        head = span + 1;
    }

    /// <summary>Turns untouched spans into ready ones: a returned one, or a run of new ones as long as the capacity allows.</summary>
    private bool PopulateMore()
    {
        if (_returnedHead != 0)
        {
            var span = _returnedHead - 1;
            if (UsedNow() + RegionLayout.SpanBytes > _capacity) return false;
            if (!_memory.Populate((long)PlaceOf(span), RegionLayout.SpanBytes)) return false;
            _returnedHead = Table[span].Next;
            Table[span] = default;
            Push(ref _readyHead, span);
            _ready++;
            NotePeak();
            return true;
        }

        // Small stores take small runs, so that what stands ready never matters beside what is stored.
        for (var run = Math.Clamp(_capacity / RegionLayout.SpanBytes / 64, 1, PopulateRun); run >= 1; run /= 2)
        {
            if (_highWater + run > Count || UsedWith(_highWater + run, run) > _capacity) continue;
            if (!PopulateTable(_highWater, _highWater + run)) return false;
            if (!_memory.Populate((long)PlaceOf((uint)_highWater), run * RegionLayout.SpanBytes)) continue;
            for (var i = run - 1; i >= 0; i--) Push(ref _readyHead, (uint)(_highWater + i));
            _highWater += run;
            _ready += run;
            NotePeak();
            return true;
        }
        return false;
    }

    /// <summary>Makes the span table's entries for new spans present, so that writing one is never the first touch of a page.</summary>
    private bool PopulateTable(long from, long to)
    {
        var first = TableBytes(from);
        var length = TableBytes(to) - first;
        return length == 0 || _memory.Populate(RegionLayout.SpanTableOffset + first, length);
    }

    private static long TableBytes(long spans) =>
        (spans * RegionLayout.SpanEntryBytes + RegionLayout.PageSize - 1) & ~(RegionLayout.PageSize - 1L);

    private long UsedNow() => UsedWith(_highWater, 0);

    private long UsedWith(long highWater, long moreSpans) =>
        RegionLayout.SpanBytes + TableBytes(highWater) + _charged + (_ready + _inUse + moreSpans) * RegionLayout.SpanBytes;

    private void NotePeak() => _peak = Math.Max(_peak, UsedNow());
}
