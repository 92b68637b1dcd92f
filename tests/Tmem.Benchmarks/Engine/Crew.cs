using System.Diagnostics;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// Some threads that start together. Two times: by the clock, from the start of the first to the end of the last, and the most
/// processor time that one of them took. On a machine of their own the two agree; where others work too, the clock counts what
/// those took.
/// </summary>
internal static class Crew
{
    /// <summary>
    /// Runs <paramref name="work"/> on each of the threads (its argument is the thread's number). Returns nanoseconds.
    /// </summary>
    public static double Run(int threads, Action prepare, Action<int> work) => Run(threads, prepare, work, out _);

    /// <param name="threads">How many.</param>
    /// <param name="prepare">What each does before the start.</param>
    /// <param name="work">What each does, given its number.</param>
    /// <param name="processor">The most processor time one thread took, in nanoseconds.</param>
    public static double Run(int threads, Action prepare, Action<int> work, out double processor)
    {
        var taken = new long[threads];
        var start = 0L;
        using var barrier = new Barrier(threads, _ => start = Stopwatch.GetTimestamp());
        var ends = new long[threads];
        var crew = Enumerable.Range(0, threads).Select(number => new Thread(() =>
        {
            prepare();
            barrier.SignalAndWait();
            var before = ProcessTimes.ThreadNanoseconds();
            work(number);
            taken[number] = ProcessTimes.ThreadNanoseconds() - before;
            ends[number] = Stopwatch.GetTimestamp();
        })).ToArray();
        foreach (var thread in crew) thread.Start();
        foreach (var thread in crew) thread.Join();
        processor = taken.Max();
        return Stopwatch.GetElapsedTime(start, ends.Max()).TotalNanoseconds;
    }
}
