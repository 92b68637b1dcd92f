using System.Runtime.CompilerServices;

namespace Tmem.Engine.Pools;

/// <summary>What a pool counts; an index into <see cref="PoolCounters"/>.</summary>
internal enum Count
{
    // What is there now.
    Pages, Objects, CompressedBytes, SlotBytes, IndexBytes, RecordBytes, SameFilled, Raw,

    // What has happened.
    Puts, Stored, Replaced, NoRoom, Reserved, PoolLimit, ClientLimit, Frozen, Incompressible,
    Gets, Hits, Misses,
    PageFlushesFound, PageFlushesNotFound, ObjectFlushesFound, ObjectFlushesNotFound, PagesFlushed,
    Evictions, Corrupt,
}

/// <summary>
/// A pool's counters in eight stripes of four cache lines, one chosen by thread: two threads that store pages in one pool do not
/// fight for a line. Adding is one uncontended interlocked add (5 ns); reading sums the stripes.
/// </summary>
internal sealed class PoolCounters
{
    private const int Stripes = 8;
    private const int Width = 32;
    private static int s_threads;
    [ThreadStatic] private static int t_stripe;

    private readonly long[] _values = GC.AllocateArray<long>(Stripes * Width, pinned: true);

    /// <summary>What one pool's counters take in memory.</summary>
    public const int Bytes = Stripes * Width * sizeof(long);

    public void Add(Count what, long change = 1) => Interlocked.Add(ref _values[Stripe() + (int)what], change);

    public long Sum(Count what)
    {
        long sum = 0;
        for (var stripe = 0; stripe < Stripes; stripe++) sum += Volatile.Read(ref _values[stripe * Width + (int)what]);
        return sum;
    }

    /// <summary>Adds another's counts to this one's.</summary>
    public void Absorb(PoolCounters other) => Absorb(other, 0);

    /// <summary>
    /// Adds what has happened in a pool that is gone. What is there now is nothing, whatever its counters say: an operation that
    /// ended beside the pool may not have counted yet.
    /// </summary>
    public void AbsorbGone(PoolCounters other) => Absorb(other, (int)Count.Puts);

    private void Absorb(PoolCounters other, int first)
    {
        for (var what = first; what < Width; what++) Interlocked.Add(ref _values[what], other.Sum((Count)what));
    }

    public PoolStatistics Read(int pageSize) => new()
    {
        Pages = Sum(Count.Pages),
        Objects = Sum(Count.Objects),
        OriginalBytes = Sum(Count.Pages) * pageSize,
        CompressedBytes = Sum(Count.CompressedBytes),
        SlotBytes = Sum(Count.SlotBytes),
        IndexBytes = Sum(Count.IndexBytes),
        RecordBytes = Sum(Count.RecordBytes),
        SameFilledPages = Sum(Count.SameFilled),
        RawPages = Sum(Count.Raw),
        Puts = Sum(Count.Puts),
        PutsStored = Sum(Count.Stored),
        PutsReplaced = Sum(Count.Replaced),
        PutsNoRoom = Sum(Count.NoRoom),
        PutsReserved = Sum(Count.Reserved),
        PutsPoolLimit = Sum(Count.PoolLimit),
        PutsClientLimit = Sum(Count.ClientLimit),
        PutsFrozen = Sum(Count.Frozen),
        PutsIncompressible = Sum(Count.Incompressible),
        Gets = Sum(Count.Gets),
        GetHits = Sum(Count.Hits),
        GetMisses = Sum(Count.Misses),
        PageFlushesFound = Sum(Count.PageFlushesFound),
        PageFlushesNotFound = Sum(Count.PageFlushesNotFound),
        ObjectFlushesFound = Sum(Count.ObjectFlushesFound),
        ObjectFlushesNotFound = Sum(Count.ObjectFlushesNotFound),
        PagesFlushed = Sum(Count.PagesFlushed),
        Evictions = Sum(Count.Evictions),
        CorruptPages = Sum(Count.Corrupt),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stripe()
    {
        var stripe = t_stripe;
        if (stripe == 0) t_stripe = stripe = (Interlocked.Increment(ref s_threads) & (Stripes - 1)) + 1;
        return (stripe - 1) * Width;
    }
}
