using Tmem.Benchmarks.Linux;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>runs</c>: runs of pages of one object in one call beside one call a page. The pages are put in a shuffled order, so that a
/// run's slots lie apart as those of a store in use do, and the runs are taken in another; the two sides take turns in each
/// round, over the same runs.
/// </summary>
internal static unsafe class RunsTable
{
    private const int Page = PageFile.PageSize;
    private const int Longest = 256;
    private const int Slice = 384;

    /// <summary>Pages of a store that no cache holds.</summary>
    private const int Far = 2_000_000 / Longest * Longest;

    /// <summary>A page by its number; those of a run lie one behind the other.</summary>
    private delegate byte* Source(long number);

    private delegate void Visit(long number, byte* pages);

    public static long Run(EngineBench bench)
    {
        Console.WriteLine(
            $"runs: ns a page, median of {bench.Rounds} rounds page by page -> as a run, and their ratio");
        var corpus = bench.Corpus;
        var pages = corpus.Count - corpus.Count % Longest;
        var far = bench.Pages == 0 ? Far : pages;
        using var room = new AnonymousMemory(2L * Longest * Page);
        using var slices = new AnonymousMemory(Longest * Page);
        // Pages of one word are all index: what is left of an operation when its codec is taken away.
        new Span<byte>(room.Page(0), Longest * Page).Fill(7);
        for (var i = 0; i < Math.Min(pages, Longest); i++) corpus[i][..Slice].CopyTo(new(slices.Page(i), Slice));
        return Compare(bench, "corpus", pages, 2L * pages * Page, number => corpus.Pointer((int)number), room)
            + Compare(bench, "one word", pages, 32 << 20, number => room.Page(number % Longest), room)
            + Compare(bench, "slices", far, far * 600L, number => slices.Page(number % Longest), room)
            + SharedRuns.Run(bench);
    }

    private static long Compare(EngineBench bench, string name, int pages, long capacity, Source source, AnonymousMemory room)
    {
        using var store = new Store(capacity + (64 << 20), PoolFlags.Persistent);
        var order = Enumerable.Range(0, pages).ToArray();
        new Random(1).Shuffle(order);
        foreach (var number in order) store.Put(number, new(source(number), Page));
        foreach (var length in (int[])[8, 64, Longest])
        {
            var runs = Enumerable.Range(0, pages / length).Select(run => (long)run * length).ToArray();
            new Random(length).Shuffle(runs);
            runs = runs[..Math.Min(runs.Length, bench.Corpus.Count / length)];
            Console.WriteLine($"  {name,-9}{pages,8} pages, runs of{length,4}  "
                + Compare(bench, store, runs, length, source, room.Page(Longest)));
        }
        return store.Wrong;
    }

    private static string Compare(EngineBench bench, Store store, long[] runs, int length, Source source, byte* target)
    {
        var count = runs.Length * length;
        var bytes = length * Page;
        Series putOne = new(), putRun = new(), getOne = new(), getRun = new(), flushOne = new(), flushRun = new();
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
        {
            getOne.Time(round, count, () => Pages((number, _) => store.Get(number, new(target + number % length * Page, Page))));
            getRun.Time(round, count, () => Runs((at, _) => store.GetRun(at, new(target, bytes))));
            putOne.Time(round, count, () => Pages((number, page) => store.Put(number, new(page, Page))));
            putRun.Time(round, count, () => Runs((at, run) => store.PutRun(at, new(run, bytes))));
            if (round == -EngineBench.WarmUp) Runs((at, run) => store.CheckRun(at, new(target, bytes), new(run, bytes)));
            flushOne.Time(round, count, () => Pages((number, _) => store.Flush(number)));
            Runs((at, run) => store.PutRun(at, new(run, bytes)));
            flushRun.Time(round, count, () => Runs((at, _) => store.FlushRun(at, length)));
            Runs((at, run) => store.PutRun(at, new(run, bytes)));
            bench.Check();
        }
        return $"put {Row(putOne, putRun)}  get {Row(getOne, getRun)}  flush {Row(flushOne, flushRun)}";

        void Runs(Visit visit)
        {
            foreach (var at in runs) visit(at, source(at));
        }

        void Pages(Visit visit)
        {
            foreach (var at in runs)
                for (var i = 0; i < length; i++) visit(at + i, source(at + i));
        }
    }

    private static string Row(Series one, Series run) => $"{one.Median,5:F0} -> {run.Median,5:F0} {run.Median / one.Median:F2}";
}
