using System.Diagnostics;
using Tmem.Benchmarks.Linux;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>attach</c>: seconds from the opening of a region that another engine left to the first operation. The region is a memfd
/// that stays, as it does when a worker is replaced; the figure holds the walk that makes everything derived anew and the
/// mapping's first faults.
/// </summary>
internal static class AttachTable
{
    private const int Attaches = 3;

    public static long Run(EngineBench bench)
    {
        Console.WriteLine($"attach: seconds, minimum / median of {Attaches} attaches after one that is not counted");
        using var data = new SlicedPages(bench.Corpus, bench.WholePages);
        long wrong = 0;
        foreach (var (pages, target) in ((long, double)[])[(1_000_000, 0.5), (bench.ManyPages, bench.ManyPages * 0.5e-6)])
            wrong += Attach(bench, data, pages, target);
        return wrong;
    }

    private static long Attach(EngineBench bench, SlicedPages data, long pages, double target)
    {
        var capacity = pages * (bench.WholePages ? 2000 : 420) + (64 << 20);
        using var region = new Memfd();
        using (var first = new Store(capacity, PoolFlags.Persistent, region.Duplicate()))
            for (long i = 0; i < pages; i++) first.Put(i, data[i]);
        var seconds = new Series();
        long wrong = 0;
        for (var attach = -1; attach < Attaches; attach++)
        {
            var again = region.Duplicate();
            var start = Stopwatch.GetTimestamp();
            using var store = new Store(capacity, PoolFlags.Persistent, again);
            if (attach >= 0) seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            if (store.Engine.Statistics().Total.Pages != pages) wrong++;
            for (long i = 0; i < pages; i += pages / 1000) store.Check(i, data[i]);
            wrong += store.Wrong;
            bench.Check();
        }
        Console.WriteLine($"  {pages,9} pages ({data.Name}) {seconds.Minimum:F3} / {seconds.Median:F3} s");
        bench.Verdict.Below($"seconds to attach to {pages} pages", seconds.Median, target);
        return wrong;
    }
}
