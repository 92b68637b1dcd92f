using System.Runtime.CompilerServices;

namespace Tmem.Engine.Pools;

/// <summary>
/// A pool's counters in eight stripes of five cache lines, chosen by thread: two threads that store pages in one pool do not
/// contend for a line. Adding is one uncontended interlocked add (5 ns); reading sums the stripes.
/// </summary>
internal sealed class PoolCounters
{
    private const int Stripes = 8;
    private const int Width = 40;
    private static int s_threads;
    [ThreadStatic] private static int t_stripe;

    private readonly long[] _values = GC.AllocateArray<long>(Stripes * Width, pinned: true);

    /// <summary>Memory of one pool's counters.</summary>
    public const int Bytes = Stripes * Width * sizeof(long);

    public void Add(Count what, long change = 1) => Interlocked.Add(ref _values[Stripe() + (int)what], change);

    public long Sum(Count what)
    {
        long sum = 0;
        for (var stripe = 0; stripe < Stripes; stripe++) sum += Volatile.Read(ref _values[stripe * Width + (int)what]);
        return sum;
    }

    /// <summary>
    /// Adds the event counts of a destroyed pool. Its gauges count as nothing, whatever they say: an operation that ended beside
    /// the pool may not have counted yet.
    /// </summary>
    public void AbsorbGone(PoolCounters other)
    {
        for (var what = Count.Puts; what <= Count.CorruptPages; what++) Add(what, other.Sum(what));
    }

    /// <summary>All counters, for pages of that size.</summary>
    public PoolStatistics Read(int pageSize)
    {
        Span<long> counts = stackalloc long[(int)Count.CorruptPages + 1];
        for (var what = Count.Pages; what <= Count.CorruptPages; what++) counts[(int)what] = Sum(what);
        counts[(int)Count.OriginalBytes] = counts[(int)Count.Pages] * pageSize;
        return new PoolStatistics(counts);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stripe()
    {
        var stripe = t_stripe;
        if (stripe == 0) t_stripe = stripe = (Interlocked.Increment(ref s_threads) & (Stripes - 1)) + 1;
        return (stripe - 1) * Width;
    }
}
