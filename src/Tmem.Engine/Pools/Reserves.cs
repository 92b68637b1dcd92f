using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// Memory that pools are guaranteed. A pool with a reserve is stored as if it held that much already: who else wants to grow is
/// admitted while what persistent pools hold, or are to be able to hold, fits the capacity. Ephemeral pages are no part of it,
/// because they go when room is needed; so a reserve that is not used is a cache's meanwhile.
/// <para>Weighed against refusing spans: a taker of slots that stand empty between others grows no span, and the store's holes
/// are not room until they are closed. What is added up here is slots in use, and compaction makes room of the rest. What it
/// cannot win (a class's last page, spans' tails, pages on their way in) is <see cref="Margin"/>.</para>
/// <para>The data path pays nothing while no pool has a reserve, and then an interlocked subtraction a page that is new: what was
/// left at the last addition is given out as credit. Whatever shrinks meanwhile only makes the next addition find more.</para>
/// </summary>
internal sealed class Reserves(SpanPool spans)
{
    /// <summary>
    /// The most given out between two additions: little enough for a store of some megabytes, much enough to add up rarely.
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

    /// <summary>What pools are guaranteed and do not hold.</summary>
    public long Unmet
    {
        get
        {
            long unmet = 0;
            foreach (var pool in _pools) unmet += UnmetOf(pool);
            return unmet;
        }
    }

    /// <summary>What a new pool can be guaranteed.</summary>
    public long Free => Math.Max(0, Left(spans.Capacity));

    /// <summary>
    /// By how much reserves alone, with nothing stored beyond them, are more than the capacity has: they were made in a larger
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
    /// What of a capacity no reserve can have: the last spans of the classes take 300 KiB at rest and twice that at most
    /// (docs/memory.md), tails of spans a thousandth; what is left of it is for pages on their way in.
    /// </summary>
    public static long Margin(long capacity) => Math.Min(1 << 20, capacity / 16) + capacity / 128;

    /// <summary>A persistent pool comes. Under the pool table's lock, as are the next two.</summary>
    public void Add(Pool pool)
    {
        _pools = [.. _pools, pool];
        Count(pool.ReserveBytes);
    }

    /// <summary>A pool is gone.</summary>
    public void Remove(Pool pool)
    {
        _pools = Array.FindAll(_pools, other => other != pool);
        Count(-pool.ReserveBytes);
    }

    /// <summary>
    /// Gives a pool another reserve. Reserved if a greater one does not fit beside what others hold and are guaranteed.
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

    /// <summary>Whether all reserves, and what pools hold beyond them, fit into a capacity.</summary>
    public bool FitInto(long capacity) => !Any || Left(capacity) >= 0;

    /// <summary>The capacity is another one: what was left is not known any more.</summary>
    public void Forget() => Count(0);

    /// <summary>
    /// Whether somebody may grow beyond what is guaranteed to him. Does not wait for the latch where there is credit.
    /// </summary>
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
        // A pool's records are in both figures.
        foreach (var pool in _pools) left -= Math.Max(pool.Memory, pool.ReserveBytes) - RecordsOf(pool);
        return left;
    }

    private long Given(long capacity) => capacity - Margin(capacity) - spans.FixedBytes(capacity);

    private static long RecordsOf(Pool pool) => Math.Max(0, pool.Counters.Sum(Engine.Count.RecordBytes));
}
