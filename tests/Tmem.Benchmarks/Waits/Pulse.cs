using System.Diagnostics;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Waits;

/// <summary>
/// Says what part of a wait is the machine's: on each processor a thread of the real-time class sleeps for a millisecond, again
/// and again, and notes by how much it woke too late. Nothing of tmem's can keep it waiting, nor any other program: only the
/// kernel, where it does not let go of the processor, and the host of a virtual machine.
/// </summary>
internal sealed unsafe class Pulse : IDisposable
{
    private const long Beat = 1_000_000;
    private const int Fifo = 1;
    private const int MonotonicClock = 1;

    private readonly Thread[] _threads;
    private volatile bool _ends;
    private volatile bool _isBlind;
    private long _longest;

    public Pulse()
    {
        _threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(processor => new Thread(() => Run(processor))
        {
            IsBackground = true,
        })];
        foreach (var thread in _threads) thread.Start();
    }

    /// <summary>
    /// Milliseconds of the latest waking since the last call; not a number where the real-time class is not to be had.
    /// </summary>
    public double TakeLongest() => _isBlind ? double.NaN : Interlocked.Exchange(ref _longest, 0) / 1e6;

    public void Dispose()
    {
        _ends = true;
        foreach (var thread in _threads) thread.Join();
    }

    private void Run(int processor)
    {
        var mask = stackalloc ulong[16];
        mask[processor / 64] = 1UL << (processor % 64);
        var priority = 90;
        // A processor that is not ours to use has no pulse. Without the class the figure would be of anybody's part.
        if (Native.sched_setaffinity(0, 16 * sizeof(ulong), mask) != 0) return;
        _isBlind |= Native.sched_setscheduler(0, Fifo, &priority) != 0;
        var sleep = stackalloc long[2] { 0, Beat };
        while (!_ends)
        {
            var start = Stopwatch.GetTimestamp();
            _ = Native.clock_nanosleep(MonotonicClock, 0, sleep, null);
            var late = Stopwatch.GetElapsedTime(start).Ticks * 100 - Beat;
            for (var seen = Volatile.Read(ref _longest); late > seen; seen = Volatile.Read(ref _longest))
                if (Interlocked.CompareExchange(ref _longest, late, seen) == seen) break;
        }
    }
}
