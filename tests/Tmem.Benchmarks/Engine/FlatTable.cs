using System.Diagnostics;
using Tmem.Benchmarks.Linux;
using Tmem.Engine;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>flat</c>: what an operation costs in a store of 8 million pages beside one of 100,000. Both stand at once and take turns.
/// Each operation touches so many pages in both, in index order from a place chosen by seed, or in random order over the whole
/// store. In random order the small store lies in the processor's cache and the large one does not: that difference is the
/// machine's, and in the figures.
/// <para>So its price is measured in the same run: one dependent read of a random cache line of each store's memory. A flush
/// waits for one (its leaf), a get and a put for two (a leaf and a slot); a second verdict on the random orders takes their
/// difference off.</para>
/// </summary>
internal static class FlatTable
{
    private const string Miss = "a read of cold memory";
    private const long Small = 100_000;
    private const int Touches = 50_000;
    private const int Evictions = 4_000;

    private static readonly string[] s_operations = ["put", "get", "flush", "put back"];

    public static long Run(EngineBench bench)
    {
        using var data = new SlicedPages(bench.Corpus, bench.WholePages);
        var each = bench.WholePages ? 2000 : 420;
        long[] sizes = [Small, bench.ManyPages];
        using var small = New(bench, sizes[0] * each + (64 << 20));
        using var large = New(bench, sizes[1] * each + (64 << 20));
        Store[] stores = [small, large];
        var times = new Dictionary<(string, bool, int), Series>();
        for (var which = 0; which < 2; which++)
        {
            for (long i = 0; i < sizes[which]; i++) stores[which].Put(i, data[i]);
            bench.Check();
        }
        if (bench.HugePages) foreach (var store in stores) MakeHuge(store);
        var compressed = large.Engine.Statistics().Total;
        Evict(bench, stores, times);
        // What was evicted comes back; it was the oldest, and the hands passed no further than this.
        for (var which = 0; which < 2; which++)
            for (long i = 0; i < Small; i++) stores[which].Put(i, data[i]);
        Touch(bench, stores, sizes, data, times);
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
            for (var which = 0; which < 2; which++) ReadAtRandom(stores[which], Of(times, Miss, true, which), round);
        Print(bench, sizes, data, (double)compressed.CompressedBytes / compressed.Pages, times);
        return small.Wrong + large.Wrong;
    }

    /// <summary>A store in a memfd, as a daemon's is.</summary>
    private static Store New(EngineBench bench, long capacity)
    {
        using var memory = new Memfd();
        return new Store(capacity, PoolFlags.Shared, memory.Duplicate(), bench.HugePages);
    }

    /// <summary>
    /// All at once, what the engine does by and by. A block that the system has no memory in one piece for is passed by, as it is
    /// there.
    /// </summary>
    private static void MakeHuge(Store store)
    {
        var huge = store.Engine.Huge!;
        var clock = Stopwatch.StartNew();
        for (var refused = 0; refused < 200;) refused = huge.Step() ? 0 : refused + 1;
        var all = store.Engine.Statistics().UsedBytes / (double)HugeBlocks.BlockBytes;
        Console.WriteLine(
            $"  {huge.Count} blocks of 2 MiB made in {clock.Elapsed.TotalSeconds:F1} s, {huge.Count / all:P0} of the store");
    }

    private static void Evict(EngineBench bench, Store[] stores, Dictionary<(string, bool, int), Series> times)
    {
        for (var round = -1; round < bench.Rounds; round++)
            for (var which = 0; which < 2; which++)
                Of(times, "evict", false, which).Time(round, Evictions, () => stores[which].MakeRoom(Evictions));
    }

    private static void Touch(
        EngineBench bench, Store[] stores, long[] sizes, SlicedPages data, Dictionary<(string, bool, int), Series> times)
    {
        var room = GC.AllocateArray<byte>(PageFile.PageSize, pinned: true);
        var numbers = new long[Touches];
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
        {
            foreach (var random in (bool[])[false, true])
                for (var which = 0; which < 2; which++)
                {
                    Choose(numbers, sizes[which], random, round);
                    var store = stores[which];
                    Of(times, "put", random, which)
                        .Time(round, Touches, () => { foreach (var n in numbers) store.Put(n, data[n]); });
                    Of(times, "get", random, which)
                        .Time(round, Touches, () => { foreach (var n in numbers) store.Get(n, room); });
                    if (round < 0) foreach (var n in numbers) store.Check(n, data[n]);
                    Of(times, "flush", random, which).Time(round, Touches, () => { foreach (var n in numbers) store.Flush(n); });
                    Of(times, "put back", random, which)
                        .Time(round, Touches, () => { foreach (var n in numbers) store.Put(n, data[n]); });
                }
            bench.Check();
        }
    }

    /// <summary>Reads a word of a page slot's span at random, each place found from the word before: nothing overlaps.</summary>
    private static unsafe void ReadAtRandom(Store store, Series series, int round)
    {
        var spans = store.Engine.Slabs.Spans;
        var places = new ulong[Touches];
        var random = new Random(round);
        for (var i = 0; i < Touches;)
        {
            var span = (uint)random.NextInt64(spans.HighWater);
            ref var entry = ref spans.Table[span];
            if (entry.Kind != SpanKind.EphemeralPages || entry.Present == 0) continue;
            places[i++] = spans.PlaceOf(span)
                + (ulong)random.Next(entry.Present * PageFile.PageSize / sizeof(ulong)) * sizeof(ulong);
        }
        // 0, which the compiler cannot know: it makes each read wait for the one before.
        var nothing = (ulong)Environment.ProcessorCount >> 32;
        ulong zero = 0;
        series.Time(round, Touches, () =>
            { foreach (var place in places) zero = *(ulong*)store.Engine.Slabs.At(place + zero) & nothing; });
    }

    /// <summary>Different pages of a store: a run of them, or a random sample in random order.</summary>
    private static void Choose(long[] numbers, long size, bool isRandom, int seed)
    {
        var random = new Random(seed);
        var first = random.NextInt64(size - Touches);
        for (var i = 0; i < Touches; i++) numbers[i] = first + i;
        if (!isRandom) return;
        var seen = new HashSet<long>(Touches);
        for (var i = 0; i < Touches; i++)
            do numbers[i] = random.NextInt64(size); while (!seen.Add(numbers[i]));
    }

    private static void Print(
        EngineBench bench, long[] sizes, SlicedPages data, double bytes, Dictionary<(string, bool, int), Series> times)
    {
        Console.WriteLine(
            $"flat: ns an operation, minimum / median of {bench.Rounds} rounds of {Touches} touches; {sizes[1]} pages beside "
            + $"{sizes[0]}");
        Console.WriteLine($"  pages: {data.Name}; {bytes:F0} bytes each when compressed");
        Console.WriteLine($"  {"",-24}{sizes[0],16}{sizes[1],16}{"more ns",10}");
        foreach (var random in (bool[])[false, true])
            foreach (var operation in s_operations) Line(operation, random);
        Line("evict", false);
        Line(Miss, true);
        var miss = times[(Miss, true, 1)].Median - times[(Miss, true, 0)].Median;
        foreach (var random in (bool[])[false, true])
            foreach (var operation in s_operations) Judge(operation, random);
        Judge("evict", false);
        foreach (var operation in s_operations)
        {
            var (few, many) = (times[(operation, true, 0)].Median, times[(operation, true, 1)].Median);
            var misses = operation == "flush" ? 1 : 2;
            bench.Verdict.AtMost($"{operation}, random, less the machine's price of {misses} cold read{(misses == 1 ? "" : "s")}",
                (many - misses * miss) / few, 1.2);
        }

        void Line(string operation, bool random)
        {
            var (few, many) = (times[(operation, random, 0)], times[(operation, random, 1)]);
            Console.WriteLine($"  {Name(operation, random),-24}{few,16}{many,16}{many.Median - few.Median,10:F0}");
        }

        void Judge(string operation, bool random) => bench.Verdict.AtMost(
            $"{Name(operation, random)}: {sizes[1]} pages / {sizes[0]}",
                times[(operation, random, 1)].Median / times[(operation, random, 0)].Median, 1.2);
    }

    private static string Name(string operation, bool random) =>
        operation == "evict" ? "evict, as filled" : operation == Miss ? Miss : $"{operation}, {(random ? "random" : "in order")}";

    private static Series Of(Dictionary<(string, bool, int), Series> times, string operation, bool random, int which)
    {
        var key = (operation, random, which);
        if (!times.TryGetValue(key, out var series)) times[key] = series = new();
        return series;
    }
}
