using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Benchmarks.Engine.Eviction;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>eviction</c>: hit ratios of an ephemeral pool whose gets keep (a miss puts the page), beside other policies that hold as
/// many pages. How many the engine's capacity holds is counted while the trace runs; what its index takes is so charged to the
/// engine. Pages do not shrink, so that all are of one size; a last line has corpus pages of all sizes, where the others hold the
/// engine's average number of pages. The verdict is against the better of SIEVE and S3-FIFO, simulated in the same run.
/// </summary>
internal static class EvictionTable
{
    private const int Cache = 10_000;
    private const int Length = 1_000_000;
    private const int Seed = 1;

    public static long Run(EngineBench bench)
    {
        Console.WriteLine(
            bench.Trace is null
                ? $"eviction: hits in 100 accesses; {Length} accesses a trace, seed {Seed}, room for about {Cache} pages"
                : "eviction: hits in 100 accesses; room for about a tenth of a trace's pages");
        Console.WriteLine(
            $"  {"trace",-28}{"pages",8}{"held",8}{"engine",9}"
                + $"{string.Concat(Policy.All(1).Select(p => $"{p.Name,9}"))}{"evict ns",10}");
        var verdict = new Verdict(Length, ofTimes: false);
        var verdicts = new List<(string Trace, double Engine, double Better)>();
        long wrong = 0;
        AccessTrace[] traces = bench.Trace is { } path
            ? Traces.Load(path)
            : [.. new Traces(Cache, Length, Seed).All()];
        foreach (var trace in traces)
        {
            wrong += Line(bench, trace, mixed: false, verdicts);
            bench.Check();
        }
        wrong += Line(bench, traces[0], mixed: true, verdicts);
        foreach (var (trace, engine, better) in verdicts)
            verdict.AtLeast($"{trace}: beyond the better of SIEVE and S3-FIFO", 100 * (engine - better), 0);
        return wrong;
    }

    private static long Line(EngineBench bench, AccessTrace trace, bool mixed, List<(string, double, double)> verdicts)
    {
        var name = mixed ? $"{trace.Name}, corpus pages" : trace.Name;
        var room = bench.Trace is null ? Cache : Math.Max(100, trace.Universe / 10);
        var (hits, held, evictNanoseconds, wrong) = OnEngine(bench, trace, room, mixed);
        var others = Policy.All((int)held).Select(policy => (policy.Name, Hits: trace.Accesses.Count(policy.Access))).ToArray();
        double All(long count) => (double)count / trace.Accesses.Length;
        Console.WriteLine($"  {name,-28}{trace.Universe,8}{held,8:F0}{100 * All(hits),9:F2}"
            + $"{string.Concat(others.Select(o => $"{100 * All(o.Hits),9:F2}"))}{evictNanoseconds,10:F0}");
        verdicts.Add((name, All(hits), All(others.Where(o => o.Name is Sieve.Title or S3Fifo.Title).Max(o => o.Hits))));
        return wrong;
    }

    private static (long Hits, double Held, double EvictNanoseconds, long Wrong) OnEngine(EngineBench bench, AccessTrace trace,
        int room, bool mixed)
    {
        // A page that does not shrink takes a slot of 4,112 bytes; what the index takes comes to that.
        var each = mixed ? 1900 : 4500;
        using var store = new Store((long)room * each + (2 << 20), PoolFlags.Shared);
        var noise = new byte[PageFile.PageSize];
        new Random(Seed).NextBytes(noise);
        var page = new byte[PageFile.PageSize];
        long hits = 0, wrong = 0, samples = 0, sum = 0;
        for (var i = 0; i < trace.Accesses.Length; i++)
        {
            var number = trace.Accesses[i];
            if (store.TryGet(number, page))
            {
                hits++;
                if (MemoryMarshal.Read<long>(page) != number) wrong++;
            }
            else
            {
                (mixed ? bench.Corpus[(int)(number % bench.Corpus.Count)] : noise).CopyTo(page);
                MemoryMarshal.Write(page, number);
                store.Put(number, page);
            }
            // The average over the second half, when the store has long been full.
            if (i < trace.Accesses.Length / 2 || i % 1000 != 0) continue;
            samples++;
            sum += store.Engine.Statistics().Total.Pages;
        }
        const int evictions = 2000;
        var start = Stopwatch.GetTimestamp();
        store.MakeRoom(evictions);
        var nanoseconds = Stopwatch.GetElapsedTime(start).TotalNanoseconds / evictions;
        return (hits, (double)sum / samples, nanoseconds, wrong + store.Wrong);
    }
}
