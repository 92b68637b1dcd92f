using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// What is remembered of evicted pages: 15 bits of the page's name and one that says whether it had been a kept page. A row is a
/// cache line of 32 such marks, the latest first: a new one pushes the others on and the oldest out, so a mark's place tells its
/// age, and looking costs one line.
/// <code>
/// name     | row : 32 | 17 unused | mark : 15 |
/// 2 bytes  | was kept : 1 | mark : 15, never 0 |
/// </code>
/// <para>A mark for each 2 KiB of the capacity, a thousandth of it, which the account of memory includes. One for each page that
/// is held is what S3-FIFO has; rows of 4 forget by chance what came a little earlier than the rest and keep what should be
/// gone. The table is derived, belongs to the process and is empty after an attach.</para>
/// <para>The hands write it under their latch. A put reads without one: a row that is being changed answers wrongly, or
/// forgets another page, at worst: that costs a page its return, or gives it one.</para>
/// </summary>
internal sealed unsafe class Ghosts(SpanPool spans) : IDisposable
{
    /// <summary>Marks in a row.</summary>
    public const int Ways = 32;

    private const int RowBytes = Ways * sizeof(ushort);
    private const int BytesOfCapacityAMark = 2048;
    private const ushort MarkMask = 0x7FFF;
    private const ushort WasKept = 0x8000;

    private volatile Table? _table;

    /// <summary>
    /// The memory, and its charge. Readers hold no lock, so the one that was replaced goes when none of them knows it any more.
    /// </summary>
    private sealed class Table : IDisposable
    {
        private readonly SpanPool _spans;
        private byte* _start;

        public Table(SpanPool spans, uint rows)
        {
            _spans = spans;
            Rows = rows;
            _start = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, RowBytes);
            NativeMemory.Clear(_start, (nuint)Bytes);
        }

        ~Table() => Free();

        public uint Rows { get; }
        public long Bytes => (long)Rows * RowBytes;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ushort* RowOf(ulong name) => (ushort*)(_start + ((name >> 32) * Rows >> 32) * RowBytes);

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private void Free()
        {
            if (_start == null) return;
            NativeMemory.AlignedFree(_start);
            _start = null;
            _spans.Uncharge(Bytes);
        }
    }

    /// <summary>Bytes of memory, as charged.</summary>
    public long Bytes => _table?.Bytes ?? 0;

    /// <summary>How many evicted pages are remembered, in all.</summary>
    public long Marks => Bytes / sizeof(ushort);

    /// <summary>The memory that a store of this capacity has for ghosts.</summary>
    public static long BytesFor(long capacity) => RowsFor(capacity) * RowBytes;

    /// <summary>
    /// Whether there is none, or one for less than half or more than twice the capacity: a smaller change is not worth forgetting
    /// all.
    /// </summary>
    public bool Misfits(long capacity) => Bytes < BytesFor(capacity) / 2 || Bytes > BytesFor(capacity) * 2;

    /// <summary>Starts anew with the size for a capacity. False, and nothing changes, if there is no room for it.</summary>
    public bool TryFit(long capacity)
    {
        if (!spans.TryCharge(BytesFor(capacity))) return false;
        _table = new Table(spans, (uint)RowsFor(capacity));
        return true;
    }

    /// <summary>Prefetches what <see cref="Take"/> will read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Expect(ulong name)
    {
        if (_table is not { } table || !Sse.IsSupported) return;
        Sse.Prefetch0(table.RowOf(name));
        GC.KeepAlive(table);
    }

    /// <summary>
    /// How many pages of its row have been evicted since this one was, or -1 if it is not remembered. It is forgotten: a page
    /// returns once, however often it is written then.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Take(ulong name, out bool wasKept)
    {
        wasKept = false;
        if (_table is not { } table) return -1;
        var row = table.RowOf(name);
        var mark = Vector256.Create(MarkOf(name));
        var found = Matches(row, mark) | Matches(row + Vector256<ushort>.Count, mark) << Vector256<ushort>.Count;
        var age = found == 0 ? -1 : (int)uint.TrailingZeroCount(found);
        if (age >= 0)
        {
            wasKept = (row[age] & WasKept) != 0;
            row[age] = 0;
        }
        GC.KeepAlive(table);
        return age;
    }

    /// <summary>Remembers a page. Under the hands' latch.</summary>
    public void Remember(ulong name, bool wasKept)
    {
        if (_table is not { } table) return;
        var row = table.RowOf(name);
        var newer = Vector256.Load(row);
        var older = Vector256.Load(row + Vector256<ushort>.Count - 1);
        newer.Store(row + 1);
        older.Store(row + Vector256<ushort>.Count);
        row[0] = (ushort)(MarkOf(name) | (wasKept ? WasKept : 0));
        GC.KeepAlive(table);
    }

    public void Dispose()
    {
        _table?.Dispose();
        _table = null;
    }

    private static long RowsFor(long capacity) => Math.Max(1, capacity / (BytesOfCapacityAMark * Ways));

    private static ushort MarkOf(ulong name) => (ushort)((name & MarkMask) is var mark and not 0 ? mark : 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Matches(ushort* marks, Vector256<ushort> mark) =>
        Vector256.Equals(Vector256.Load(marks) & Vector256.Create(MarkMask), mark).ExtractMostSignificantBits();
}
