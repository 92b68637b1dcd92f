using System.Diagnostics;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// Three ways to use more memory than there is: fill every page, read all back in order, touch at random.
/// </summary>
/// <remarks>
/// The limit is to hit the working set alone, so that every store is asked for the same. The kernel charges a page to the group
/// its process was in when the page was first touched, and does not move the charge: so the process runs every phase once on a
/// small working set and has its buffers, its corpus and its compiled code in memory before it joins the group.
/// </remarks>
internal sealed class Workload(PageFile corpus, int seed, int touches)
{
    private readonly long[] _ticks = new long[touches];

    /// <summary>Runs the phases; the group is joined after the rehearsal, before the working set is mapped.</summary>
    public void Run(long bytes, string? group, bool onlyFill, Action<PhaseResult> report)
    {
        using (var rehearsal = new StampedPages(corpus, 8 << 20, seed))
        {
            // Tiered compilation replaces hot code after 30 calls and 100 ms; let it, now.
            for (var round = 0; round < 3; round++)
            {
                Fill(rehearsal);
                InOrder(rehearsal);
                AtRandom(rehearsal);
                Thread.Sleep(150);
            }
        }
        GC.Collect();
        using var pages = new StampedPages(corpus, bytes, seed);
        if (group is not null) MemoryGroup.Join(group);
        report(Fill(pages));
        if (onlyFill) return;
        report(InOrder(pages));
        report(AtRandom(pages));
    }

    private static PhaseResult Fill(StampedPages pages)
    {
        var (watch, faults) = (Stopwatch.StartNew(), ProcessTimes.MajorFaults());
        for (long page = 0; page < pages.Count; page++) pages.Fill(page);
        return Result("fill", pages.Count, watch, 0, faults);
    }

    private static PhaseResult InOrder(StampedPages pages)
    {
        var (watch, faults, wrong) = (Stopwatch.StartNew(), ProcessTimes.MajorFaults(), 0L);
        for (long page = 0; page < pages.Count; page++)
            if (!pages.IsRight(page)) wrong++;
        return Result("order", pages.Count, watch, wrong, faults);
    }

    private PhaseResult AtRandom(StampedPages pages)
    {
        var random = new Random(seed + 1);
        var (watch, faults, wrong) = (Stopwatch.StartNew(), ProcessTimes.MajorFaults(), 0L);
        for (var touch = 0; touch < _ticks.Length; touch++)
        {
            var page = random.NextInt64(pages.Count);
            var start = Stopwatch.GetTimestamp();
            var right = pages.Touch(page);
            _ticks[touch] = Stopwatch.GetTimestamp() - start;
            // The page is in memory now: comparing it costs time of ours, not of the touch.
            if (!right || !pages.IsRight(page)) wrong++;
        }
        var result = Result("random", _ticks.Length, watch, wrong, faults);
        var mean = Microseconds(_ticks.Average());
        Array.Sort(_ticks);
        return result with
        {
            MeanMicroseconds = mean,
            MedianMicroseconds = Microseconds(_ticks[_ticks.Length / 2]),
            P99Microseconds = Microseconds(_ticks[(int)(_ticks.Length * 0.99)]),
        };
    }

    private static PhaseResult Result(string phase, long pages, Stopwatch watch, long wrong, long faults) => new()
    {
        Phase = phase,
        Pages = pages,
        Seconds = watch.Elapsed.TotalSeconds,
        WrongPages = wrong,
        MajorFaults = ProcessTimes.MajorFaults() - faults,
        SwappedBytes = ProcessTimes.StatusBytes("self", "VmSwap"),
    };

    private static double Microseconds(double ticks) => ticks * 1e6 / Stopwatch.Frequency;
}
