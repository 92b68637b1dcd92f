using System.Runtime.CompilerServices;

namespace Tmem.Engine.Region;

/// <summary>
/// The lock for short sections: one int; a waiter spins briefly, then yields the processor. It can live anywhere (a table, a
/// bucket), is never poisoned and allocates nothing; System.Threading.Lock allocates an event on first contention, which the data
/// path may not. 0 is free; a held latch contains its <see cref="LatchRank"/>.
/// </summary>
internal static class SpinLatch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Enter(ref int latch, LatchRank rank)
    {
        LatchOrder.Waits(rank);
        if (!TryTake(ref latch, rank)) Wait(ref latch, rank);
        LatchOrder.Entered(rank);
    }

    /// <summary>Waits for nothing, so it may be tried out of order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryEnter(ref int latch, LatchRank rank)
    {
        var taken = TryTake(ref latch, rank);
        if (taken) LatchOrder.Entered(rank);
        return taken;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exit(ref int latch)
    {
        LatchOrder.Left((LatchRank)latch);
        Volatile.Write(ref latch, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryTake(ref int latch, LatchRank rank) => Interlocked.CompareExchange(ref latch, (int)rank, 0) == 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Wait(ref int latch, LatchRank rank)
    {
        var spinner = default(SpinWait);
        do
        {
            // Never sleeps a millisecond: sections are far shorter, and a holder that was preempted needs the processor now.
            while (Volatile.Read(ref latch) != 0) spinner.SpinOnce(sleep1Threshold: -1);
        }
        while (!TryTake(ref latch, rank));
    }
}
