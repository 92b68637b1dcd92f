using System.Diagnostics;

namespace Tmem.Benchmarks.Engine;

/// <summary>Some threads that start together; the time is from the start of the first to the end of the last.</summary>
internal static class Crew
{
    /// <summary>Runs <paramref name="work"/> on each of the threads (its argument is the thread's number). Returns nanoseconds.</summary>
    public static double Run(int threads, Action prepare, Action<int> work)
    {
        var start = 0L;
        using var barrier = new Barrier(threads, _ => start = Stopwatch.GetTimestamp());
        var ends = new long[threads];
        var crew = Enumerable.Range(0, threads).Select(number => new Thread(() =>
        {
            prepare();
            barrier.SignalAndWait();
            work(number);
            ends[number] = Stopwatch.GetTimestamp();
        })).ToArray();
        foreach (var thread in crew) thread.Start();
        foreach (var thread in crew) thread.Join();
        return Stopwatch.GetElapsedTime(start, ends.Max()).TotalNanoseconds;
    }
}
