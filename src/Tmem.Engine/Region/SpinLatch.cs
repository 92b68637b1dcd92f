using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Tmem.Engine.Region;

/// <summary>
/// The lock of short sections: one int, spun on briefly, then the processor is yielded. It lives anywhere (a table, a bucket), is
/// never poisoned and allocates nothing; System.Threading.Lock allocates an event the first time it is contended, which the data
/// path may not. No section under it makes a system call, but for the span pool's populate.
/// </summary>
internal static class SpinLatch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Enter(ref int latch)
    {
        if (!TryEnter(ref latch)) Wait(ref latch);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryEnter(ref int latch) => Interlocked.CompareExchange(ref latch, 1, 0) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exit(ref int latch)
    {
        Debug.Assert(latch == 1, "a latch is left by the one who entered it");
        Volatile.Write(ref latch, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Wait(ref int latch)
    {
        var spinner = default(SpinWait);
        do
        {
            // Never sleeps a millisecond: sections are far shorter, and a holder that was preempted needs the processor now.
            while (Volatile.Read(ref latch) != 0) spinner.SpinOnce(sleep1Threshold: -1);
        }
        while (!TryEnter(ref latch));
    }
}
