using System.CommandLine;
using System.Diagnostics;
using Tmem.Benchmarks.Linux;
using Tmem.Benchmarks.Swap;
using Tmem.Engine;
using Tmem.Engine.Native;
using Tmem.Engine.Recompress;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>density</c>: what recompression gains and costs. The same pages go to a store and to a zram device with lz4; then the store
/// recompresses until it has settled. Everything is in the account, dictionaries and their tables included. Times are of the
/// thread's processor.
/// </summary>
internal static unsafe class DensityBenchCommand
{
    private const int Page = PageFile.PageSize;
    private const double MiB = 1 << 20;

    public static Command Create()
    {
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages, see scripts/corpus.");
        var bytes = Options.Size("--bytes", 1 << 30, "Pages stored: the corpus as often as it takes.");
        var level = Options.Number("--level", RecompressionSettings.DefaultLevel, 1, "The level of Zstandard.");
        var target = Options.With("--target", 0.66, "The most memory that counts as met, as a part of zram's: 0.55 in order.");
        var rounds = Options.Number("--rounds", 7, 1, "Rounds of the hot path, with and without recompression in each.");
        var command = new Command("density", "Measures the memory of cold pages beside zram's, and what it costs.")
        {
            corpus, bytes, level, target, rounds,
        };
        command.SetAction(parse =>
        {
            MachineFacts.Print(parse.GetValue(corpus)!);
            using var pages = PageFile.Load(parse.GetValue(corpus)!);
            using var interrupt = new Interrupt();
            var count = (int)(parse.GetValue(bytes) / Page);
            var wrong = Memory(pages, count, parse.GetValue(level), parse.GetValue(target));
            interrupt.Check();
            wrong += HotPath(pages, parse.GetValue(level), parse.GetValue(rounds));
            Console.WriteLine($"wrong pages: {wrong}");
            return wrong == 0 ? 0 : 4;
        });
        return command;
    }

    private static EngineOptions StoreOptions(long capacity, int level) => new()
    {
        CapacityBytes = capacity, MaximumCapacityBytes = capacity, RecompressesWhenAsked = true, RecompressionLevel = level,
    };

    private static long Memory(PageFile pages, int count, int level, double target)
    {
        using var device = new ZramDevice((long)count * Page);
        using (var direct = new DirectFile(device.Path))
            for (var i = 0; i < count; i++) direct.Write(pages.Pointer(i % pages.Count), (long)i * Page);
        device.Compact();
        var zram = device.Memory().Used;
        using var store = new Store(StoreOptions((long)count * Page + (64 << 20), level), PoolFlags.Persistent);
        for (var i = 0; i < count; i++) store.Put(i, pages[i % pages.Count]);
        store.Engine.Compact();
        var before = store.Engine.Statistics();
        var (lz4, _) = Gets(store, pages, count);
        var start = SystemCalls.ThreadTime();
        // One pass to see them, one to forget that they were just read, one to store them.
        for (var pass = 0; pass < 3; pass++)
            while (store.Engine.Recompressor!.Step(4096)) { }
        var seconds = (SystemCalls.ThreadTime() - start) / 1e9;
        store.Engine.Compact();
        var after = store.Engine.Statistics();
        var (cold, _) = Gets(store, pages, count);
        Console.WriteLine($"density: {count} pages, {count * Page / MiB:F0} MiB, level {level}; MiB, and times zram's");
        Console.WriteLine($"  zram lz4, mem_used_total, compacted    {zram / MiB,9:F2}");
        foreach (var (when, used) in (ReadOnlySpan<(string, long)>)[("before", before.UsedBytes), ("after", after.UsedBytes)])
            Console.WriteLine($"  the store {when,-29}{used / MiB,9:F2} {(double)used / zram,7:F3}");
        var total = after.Total;
        var dictionaries = after.Recompression.Dictionaries;
        Console.WriteLine($"  {total.DictionaryPages} pages with a dictionary, ratio "
            + $"{(double)total.DictionaryPages * Page / Math.Max(1, total.DictionaryBytes):F3}; {total.RawPages} raw; "
            + $"{dictionaries.Count} dictionaries, {dictionaries.Sum(one => one.Bytes) >> 10} KiB");
        Console.WriteLine($"  settling took {seconds:F1} s of a processor, {seconds * 1e6 / count:F1} us a page: "
            + $"{seconds / 0.05:F0} s at the default budget, {seconds:F0} s where the store is nearly full");
        Console.WriteLine($"  a get: {lz4:F2} us before, {cold:F2} after");
        var verdict = new Verdict(pages.Count, ofTimes: false);
        verdict.AtMost("memory of the settled store / zram's mem_used_total", (double)after.UsedBytes / zram, target);
        new Verdict(pages.Count).AtMost("a get of a recompressed page, us dearer than of an LZ4 one", cold - lz4, 6);
        return store.Wrong;
    }

    /// <summary>Microseconds a get, in a random order, after which each page is compared.</summary>
    private static (double Get, double Check) Gets(Store store, PageFile pages, int count)
    {
        using var room = new AnonymousMemory(Page);
        var random = new Random(2);
        var touched = Math.Min(count, 50_000);
        var start = SystemCalls.ThreadTime();
        for (var i = 0; i < touched; i++) store.Get(random.Next(count), new Span<byte>(room.Page(0), Page));
        var get = SystemCalls.ThreadTime() - start;
        for (var i = 0; i < count; i++) store.Check(i, pages[i % pages.Count]);
        return (get / 1e3 / touched, 0);
    }

    /// <summary>
    /// Puts and gets of some pages while others, sixteen times as many, are recompressed by the thread with a whole processor, as
    /// where the store is nearly full; beside a store that does not.
    /// </summary>
    private static long HotPath(PageFile pages, int level, int rounds)
    {
        var (hot, cold) = (4096, 65_536);
        using var off = new Store(StoreOptions(512 << 20, level) with { RecompressesWhenAsked = false }, PoolFlags.Persistent);
        using var on = new Store(StoreOptions(512 << 20, level) with
        {
            RecompressInBackground = true, RecompressionShare = 1,
            Recompression = new RecompressionSettings { Age = TimeSpan.FromSeconds(1) },
        }, PoolFlags.Persistent);
        Store[] stores = [off, on];
        var puts = new List<double>[] { [], [] };
        var gets = new List<double>[] { [], [] };
        using var room = new AnonymousMemory(Page);
        foreach (var store in stores)
            for (var i = 0; i < cold; i++) store.Put(hot + i, pages[i % pages.Count]);
        while (on.Engine.Statistics().Total.PagesRecompressed == 0) Thread.Sleep(100);
        var before = on.Engine.Statistics();
        var began = Stopwatch.GetTimestamp();
        for (var round = -2; round < rounds; round++)
        {
            for (var which = 0; which < 2; which++)
            {
                var store = stores[which];
                var start = SystemCalls.ThreadTime();
                for (var i = 0; i < 4 * hot; i++) store.Put(i % hot, pages[(i * 7 + round + 2) % pages.Count]);
                var put = (SystemCalls.ThreadTime() - start) / 1e3 / (4 * hot);
                start = SystemCalls.ThreadTime();
                for (var i = 0; i < 8 * hot; i++) store.Get(i * 31 % hot, new Span<byte>(room.Page(0), Page));
                var get = (SystemCalls.ThreadTime() - start) / 1e3 / (8 * hot);
                // Cold ones anew, as long as there are rounds to come.
                for (var i = 0; i < cold / 8; i++)
                    store.Put(hot + (i + (round + 2) * (cold / 8)) % cold, pages[(i + round + 2) % pages.Count]);
                if (round < 0) continue;
                puts[which].Add(put);
                gets[which].Add(get);
            }
        }
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var figures = on.Engine.Statistics();
        var recompressed = figures.Total.PagesRecompressed - before.Total.PagesRecompressed;
        var spent = (figures.Recompression.ProcessorTime - before.Recompression.ProcessorTime).TotalSeconds;
        var (putOff, putOn, getOff, getOn) = (Median(puts[0]), Median(puts[1]), Median(gets[0]), Median(gets[1]));
        Console.WriteLine($"hot path: us a page, off and on, medians of {rounds}: put {putOff:F2} and {putOn:F2}, get "
            + $"{getOff:F2} and {getOn:F2}; {recompressed} pages recompressed meanwhile, "
            + $"{spent:F1} s of a processor in {seconds:F0} s");
        if (recompressed == 0) throw new BenchmarkException("nothing was recompressed beside the hot path: it shows nothing.");
        var verdict = new Verdict(pages.Count);
        verdict.AtMost("a put of another page, on / off", putOn / putOff, 1.05);
        verdict.AtMost("a get of another page, on / off", getOn / getOff, 1.05);
        return off.Wrong + on.Wrong;
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
