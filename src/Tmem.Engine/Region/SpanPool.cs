using System.Runtime.CompilerServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Region;

/// <summary>
/// Hands out spans and keeps the account of real memory, page by page. A span's memory is populated from its start as its slots
/// are used (<see cref="TryExtend"/>), a granule at a time: a first touch page by page would cost the swap-out path a fault each,
/// and a whole span at a time would cost every size class the memory of one. Empty spans keep their memory for the next user, up
/// to a bound, so that a class that empties and fills again makes no system call; beyond the bound their memory goes back to the
/// kernel.
/// </summary>
internal sealed unsafe partial class SpanPool
{
    private const long MostGranule = 64 << 10;
    private const long MostReady = 2 << 20;

    private readonly RegionMemory _memory;
    private readonly Superblock* _superblock;
    private readonly long _header;
    private int _latch;
    private uint _readyHead;
    private uint _returnedHead;
    private long _highWater;
    private long _ready;
    private long _inUse;
    private long _returns;

    public SpanPool(RegionMemory memory, long spans, long capacity, long* peakWord = null)
    {
        _memory = memory;
        _superblock = (Superblock*)memory.Start;
        Count = spans;
        _header = RegionLayout.HeaderBytes(spans);
        Table = (SpanEntry*)(memory.Start + RegionLayout.SpanTableOffset);
        _capacity = capacity;
        _peakWord = peakWord;
        if (peakWord != null) _peak = *peakWord;
    }

    public SpanEntry* Table { get; }

    /// <summary>The most spans the region can ever have.</summary>
    public long Count { get; }

    /// <summary>Spans at or above this one have never been used since creation.</summary>
    public long HighWater => Volatile.Read(ref _highWater);
    public long ReadyBytes => Volatile.Read(ref _ready) * RegionLayout.PageSize;
    public long InUse => Volatile.Read(ref _inUse);
    public long Returned => Volatile.Read(ref _returns);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Start(uint span) => _memory.Start + _header + ((long)span << RegionLayout.SpanShift);

    /// <summary>The span a place (byte offset in the region) lies in. The caller knows the place to be in a slab.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint SpanOf(ulong place) => (uint)((place - (ulong)_header) >> RegionLayout.SpanShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong PlaceOf(uint span) => (ulong)_header + ((ulong)span << RegionLayout.SpanShift);

    /// <summary>Whether a place, not yet validated, lies in a span that has been used.</summary>
    public bool Contains(ulong place) =>
        place >= (ulong)_header && place < (ulong)_header + ((ulong)HighWater << RegionLayout.SpanShift);

    /// <summary>Takes a span for slots of one class; it may hold no memory yet. False if the region has no span left.</summary>
    public bool TryTake(SpanKind kind, int sizeClass, out uint span)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        ushort present = 0;
        if (_readyHead != 0)
        {
            span = Pop(ref _readyHead);
            present = Table[span].Present;
            _ready -= present;
        }
        else if (_returnedHead != 0)
        {
            span = Pop(ref _returnedHead);
        }
        else if (!TryRaise(out span))
        {
            SpinLatch.Exit(ref _latch);
            return false;
        }
        _present[(int)kind] += present;
        _inUse++;
        SpinLatch.Exit(ref _latch);

        // A slot's own first word is the truth for objects and records; none may remain from the span's last use.
        if (kind is SpanKind.Objects or SpanKind.Records) new Span<byte>(Start(span), present * RegionLayout.PageSize).Clear();
        ref var entry = ref Table[span];
        entry = new SpanEntry { Class = (byte)sizeClass, Present = present };
        Volatile.Write(ref Unsafe.As<SpanKind, byte>(ref entry.Kind), (byte)kind);
        return true;
    }

    /// <summary>
    /// Populates more of a span: a granule, or no more than needed where memory is short. The caller holds the span's class.
    /// </summary>
    /// <param name="span">The span.</param>
    /// <param name="need">Bytes from its start that must be present.</param>
    /// <param name="most">Bytes from its start that can ever be used.</param>
    /// <param name="held">Pages that the span's class already holds.</param>
    public bool TryExtend(uint span, int need, int most, long held)
    {
        ref var entry = ref Table[span];
        var least = Pages(need) - entry.Present;
        var wanted = Math.Min(Math.Max(least, Granule(held)), Pages(most) - entry.Present);
        if (!TryAccount(entry.Kind, wanted))
        {
            wanted = least;
            if (!TryAccount(entry.Kind, wanted)) return false;
        }
        var from = (long)PlaceOf(span) + entry.Present * RegionLayout.PageSize;
        if (!_memory.Populate(from, wanted * RegionLayout.PageSize))
        {
            _memory.Punch(from, wanted * RegionLayout.PageSize);
            Unaccount(entry.Kind, wanted);
            return false;
        }
        entry.Present += (ushort)wanted;
        return true;
    }

    /// <summary>Gives back what lies beyond the first bytes of a span. The caller holds the span's class.</summary>
    public void Trim(uint span, int keep)
    {
        ref var entry = ref Table[span];
        var pages = entry.Present - Pages(keep);
        if (pages <= 0 || !TryBreak(ref entry, span, pages)) return;
        _memory.Punch((long)PlaceOf(span) + entry.Present * RegionLayout.PageSize, pages * RegionLayout.PageSize);
        Unaccount(entry.Kind, pages);
    }

    /// <summary>Takes back an empty span: keeps its memory for the next user, or gives it back to the kernel.</summary>
    public void Return(uint span)
    {
        ref var entry = ref Table[span];
        var present = entry.Present;
        var kind = entry.Kind;
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var keep = (_ready + present) * RegionLayout.PageSize <= Math.Min(MostReady, _capacity / 64) && UsedNow() <= _capacity;
        if (!keep) keep = !TryBreakLatched(ref entry, span, present);
        SpinLatch.Exit(ref _latch);
        if (!keep) _memory.Punch((long)PlaceOf(span), present * RegionLayout.PageSize);
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        entry = new SpanEntry { Present = keep ? present : (ushort)0 };
        _inUse--;
        _present[(int)kind] -= present;
        if (keep)
        {
            Push(ref _readyHead, span, SpanList.Ready);
            _ready += present;
        }
        else
        {
            Push(ref _returnedHead, span, SpanList.Returned);
            _returns++;
        }
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>Gives the memory of all empty spans back to the kernel. False if there is none.</summary>
    public bool ReleaseReady()
    {
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        var before = _ready;
        ReleaseReadyLatched();
        var any = _ready < before;
        SpinLatch.Exit(ref _latch);
        return any;
    }

    /// <summary>
    /// Takes over an attached region's spans: those not free are in use, and <see cref="AdoptPresent"/> accounts for each; the
    /// memory of every free one goes back to the kernel.
    /// </summary>
    public void Adopt()
    {
        _highWater = Math.Clamp(_superblock->HighWater, 0, Count);
        for (var span = Count - 1; span >= _highWater; span--)
        {
            if (Table[span].Kind == SpanKind.Free) continue;
            _highWater = span + 1;
            break;
        }
        _superblock->HighWater = _highWater;
        for (var span = _highWater - 1; span >= 0; span--)
        {
            if (Table[span].Kind != SpanKind.Free) { _inUse++; continue; }
            _memory.Punch((long)PlaceOf((uint)span), RegionLayout.SpanBytes);
            Table[span] = default;
            Push(ref _returnedHead, (uint)span, SpanList.Returned);
        }
        NotePeak();
    }

    /// <summary>Accounts for a span in use of an attached region: keeps what is needed, gives back the rest.</summary>
    /// <param name="span">The span.</param>
    /// <param name="used">Bytes from its start that hold slots in use.</param>
    /// <param name="most">Bytes from its start that can ever be used.</param>
    public void AdoptPresent(uint span, int used, int most)
    {
        ref var entry = ref Table[span];
        var pages = Pages(used);
        var rest = Pages(most) - pages;
        if (rest > 0)
            _memory.Punch((long)PlaceOf(span) + pages * RegionLayout.PageSize, rest * RegionLayout.PageSize);
        entry.Present = (ushort)pages;
        SpinLatch.Enter(ref _latch, LatchRank.Spans);
        _present[(int)entry.Kind] += pages;
        NotePeak();
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>
    /// Pages populated at a time: a thirty-second of what the class already holds, so that memory populated ahead stays small
    /// beside what is stored, whatever the store's size and however its pages spread over the classes.
    /// </summary>
    private static int Granule(long held) => (int)Math.Clamp(held / 32, 1, MostGranule / RegionLayout.PageSize);

    private static int Pages(int bytes) => (bytes + RegionLayout.PageSize - 1) / RegionLayout.PageSize;

    private void ReleaseReadyLatched()
    {
        uint heldHead = 0;
        while (_readyHead != 0)
        {
            var span = Pop(ref _readyHead);
            var present = Table[span].Present;
            if (!TryBreakLatched(ref Table[span], span, present))
            {
                Push(ref heldHead, span, SpanList.Ready);
                continue;
            }
            _memory.Punch((long)PlaceOf(span), present * RegionLayout.PageSize);
            _ready -= present;
            Table[span] = default;
            Push(ref _returnedHead, span, SpanList.Returned);
            _returns++;
        }
        _readyHead = heldHead;
    }

    /// <summary>A span that has never been used.</summary>
    private bool TryRaise(out uint span)
    {
        span = (uint)_highWater;
        if (_highWater >= Count) return false;
        // The table's entry is populated first, so that writing it is never the first touch of a page.
        var more = TableBytes(_highWater + 1) - TableBytes(_highWater);
        if (more > 0 && (!Fits(more) || !_memory.Populate(RegionLayout.SpanTableOffset + TableBytes(_highWater), more)))
            return false;
        Volatile.Write(ref _highWater, _highWater + 1);
        _superblock->HighWater = _highWater;
        if (more > 0) NoteGrowth();
        return true;
    }

    private uint Pop(ref uint head)
    {
        var span = head - 1;
        head = Table[span].Next;
        Table[span].List = SpanList.None;
        return span;
    }

    private void Push(ref uint head, uint span, SpanList list)
    {
        Table[span].Next = head;
        Table[span].List = list;
        head = span + 1;
    }

    private static long TableBytes(long spans) =>
        (spans * RegionLayout.SpanEntryBytes + RegionLayout.PageSize - 1) & ~(RegionLayout.PageSize - 1L);
}
