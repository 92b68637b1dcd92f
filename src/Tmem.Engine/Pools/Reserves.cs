using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Memory guaranteed to pools. A pool with a reserve counts as if it held that much already: another may grow while what
/// persistent pools hold, or are guaranteed, fits the capacity. Ephemeral pages do not count, because they go when room is
/// needed; so an unused reserve serves as cache meanwhile.
/// <para>Rejected: refusing spans. An allocation from free slots between others grows no span, and the store's holes are not room
/// until they are closed. So the sum is over slots in use, and compaction makes room of the rest. What it cannot win (a class's
/// last page, spans' tails, pages in flight) is <see cref="Margin"/>.</para>
/// <para>The data path pays nothing while no pool has a reserve, and otherwise an interlocked subtraction for each new page: the
/// remainder at the last addition is handed out as credit. Shrinking meanwhile only makes the next addition find more.</para>
/// </summary>
internal sealed class Reserves(SpanPool spans)
{
    /// <summary>
    /// The most credit between two additions: little enough for a store of some megabytes, enough to add up rarely.
    /// </summary>
    private const long MostCredit = 1 << 20;

    private volatile Pool[] _pools = [];
    private long _total;
    private long _credit;
    private int _latch;

    /// <summary>Whether any pool has a reserve.</summary>
    public bool Any => Total != 0;

    /// <summary>All reserves together.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>The part of the reserves that their pools do not hold.</summary>
    public long Unmet
    {
        get
        {
            long unmet = 0;
            foreach (var pool in _pools) unmet += UnmetOf(pool);
            return unmet;
        }
    }

    /// <summary>The largest reserve for a new pool.</summary>
    public long Free => Math.Max(0, Left(spans.Capacity));

    /// <summary>
    /// The amount by which the reserves alone, with nothing stored beyond them, exceed the capacity: they were made in a larger
    /// one.
    /// </summary>
    public long Excess
    {
        get
        {
            if (!Any) return 0;
            var left = Given(spans.Capacity);
            foreach (var pool in _pools)
                if (pool.ReserveBytes > 0) left -= Math.Max(0, pool.ReserveBytes - RecordsOf(pool));
            return Math.Max(0, -left);
        }
    }

    public static long UnmetOf(Pool pool) => Math.Max(0, pool.ReserveBytes - pool.Memory);

    /// <summary>
    /// The part of a capacity that cannot be reserved: the last spans of the classes take 300 KiB at rest and twice that at most
    /// (docs/memory.md), span tails a thousandth; the rest is for pages in flight.
    /// </summary>
    public static long Margin(long capacity) => Math.Min(1 << 20, capacity / 16) + capacity / 128;

    /// <summary>Adds a persistent pool. Under the pool table's lock, as the next two.</summary>
    public void Add(Pool pool)
    {
        _pools = [.. _pools, pool];
        Count(pool.ReserveBytes);
    }

    /// <summary>Removes a pool.</summary>
    public void Remove(Pool pool)
    {
        _pools = Array.FindAll(_pools, other => other != pool);
        Count(-pool.ReserveBytes);
    }

    /// <summary>
    /// Changes a pool's reserve. Reserved if a larger one does not fit beside what others hold and are guaranteed.
    /// </summary>
    public TmemStatus TrySet(Pool pool, long bytes)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Reserves);
        var more = Math.Max(pool.Memory, bytes) - Math.Max(pool.Memory, pool.ReserveBytes);
        var fits = bytes <= pool.ReserveBytes || more <= Left(spans.Capacity);
        if (fits)
        {
            Volatile.Write(ref _credit, 0);
            Interlocked.Add(ref _total, bytes - pool.ReserveBytes);
            pool.ReserveBytes = bytes;
        }
        SpinLatch.Exit(ref _latch);
        return fits ? TmemStatus.Ok : TmemStatus.Reserved;
    }

    /// <summary>Whether all reserves, and what pools hold beyond them, fit a capacity.</summary>
    public bool FitInto(long capacity) => !Any || Left(capacity) >= 0;

    /// <summary>Discards the credit after a change of the capacity.</summary>
    public void Forget() => Count(0);

    /// <summary>Whether a pool may grow beyond its own guarantee. Does not wait for the latch while there is credit.</summary>
    public bool TryAdmit(long bytes)
    {
        var credit = Volatile.Read(ref _credit);
        while (credit >= bytes)
        {
            var seen = Interlocked.CompareExchange(ref _credit, credit - bytes, credit);
            if (seen == credit) return true;
            credit = seen;
        }
        SpinLatch.Enter(ref _latch, LatchRank.Reserves);
        Interlocked.Exchange(ref _credit, 0);
        var left = Left(spans.Capacity) - bytes;
        if (left > 0) Volatile.Write(ref _credit, Math.Min(left / 2, MostCredit));
        SpinLatch.Exit(ref _latch);
        return left >= 0;
    }

    private void Count(long bytes)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Reserves);
        Volatile.Write(ref _credit, 0);
        Interlocked.Add(ref _total, bytes);
        SpinLatch.Exit(ref _latch);
    }

    private long Left(long capacity)
    {
        var left = Given(capacity);
        // Both figures include a pool's records.
        foreach (var pool in _pools) left -= Math.Max(pool.Memory, pool.ReserveBytes) - RecordsOf(pool);
        return left;
    }

    private long Given(long capacity) => capacity - Margin(capacity) - spans.FixedBytes(capacity);

    private static long RecordsOf(Pool pool) => Math.Max(0, pool.Counters.Sum(Engine.Count.RecordBytes));
}
