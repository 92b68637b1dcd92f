using System.CommandLine;
using System.Diagnostics;
using K4os.Compression.LZ4;

namespace Tmem.Benchmarks.Codec;

/// <summary>
/// <c>codec</c>: what a page costs in the codec alone, encode and decode, beside copying it. Each run goes over the whole corpus;
/// the minimum says what the code can do, the median what it did on this machine today.
/// </summary>
internal static unsafe class CodecBenchCommand
{
    private const int Page = PageFile.PageSize;

    public static Command Create()
    {
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages, see scripts/corpus.");
        var runs = Options.With("--runs", 7, "Runs over the corpus.");
        var command = new Command("codec", "Measures the codec on the corpus, nanoseconds a page.") { corpus, runs };
        command.SetAction(parse =>
        {
            if (parse.GetValue(runs) < 1) throw new BenchmarkException("--runs must be 1 or more.");
            MachineFacts.Print(parse.GetValue(corpus)!);
            using var pages = PageFile.Load(parse.GetValue(corpus)!);
            Measure(pages, parse.GetValue(runs));
        });
        return command;
    }

    private static void Measure(PageFile pages, int runs)
    {
        var bound = LZ4Codec.MaximumOutputSize(Page);
        // Each encoded page in a place of its own, as in a store: decoding finds its input where memory put it, not in the cache.
        using var packed = new Linux.AnonymousMemory((long)pages.Count * bound);
        using var room = new Linux.AnonymousMemory(Page);
        var lengths = new int[pages.Count];
        byte* Packed(int page) => packed.Page(0) + (long)page * bound;

        var copy = Time(runs, pages.Count, page => Buffer.MemoryCopy(pages.Pointer(page), room.Page(0), Page, Page));
        var encode = Time(runs, pages.Count, page =>
            lengths[page] = LZ4Codec.Encode(pages.Pointer(page), Page, Packed(page), bound, LZ4Level.L00_FAST));
        var wrong = 0;
        var decode = Time(runs, pages.Count, page =>
        {
            if (LZ4Codec.Decode(Packed(page), lengths[page], room.Page(0), Page) != Page) wrong++;
        });
        for (var page = 0; page < pages.Count; page++)
        {
            var length = LZ4Codec.Decode(Packed(page), lengths[page], room.Page(0), Page);
            if (length != Page || !pages[page].SequenceEqual(new ReadOnlySpan<byte>(room.Page(0), Page))) wrong++;
        }
        if (wrong > 0) throw new BenchmarkException($"{wrong} pages did not decode to what was encoded.");

        var total = lengths.Sum(l => (long)l);
        var stored = lengths.Sum(l => (long)Math.Min(l, Page));
        Console.WriteLine($"{runs} runs over {pages.Count} pages, ns a page     minimum    median");
        Row("memcpy", copy);
        Row("K4os LZ4 L00_FAST encode", encode);
        Row("K4os LZ4 L00_FAST decode", decode);
        double all = (long)pages.Count * Page;
        Console.WriteLine($"ratio {all / total:F3}; {all / stored:F3} with the {lengths.Count(l => l >= Page)} pages that do not shrink kept raw");
    }

    private static double[] Time(int runs, int pages, Action<int> body)
    {
        var results = new double[runs];
        // One run more than is counted: the first meets cold code and cold memory.
        for (var run = -1; run < runs; run++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var page = 0; page < pages; page++) body(page);
            if (run >= 0) results[run] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / pages;
        }
        Array.Sort(results);
        return results;
    }

    private static void Row(string name, double[] sorted) => Console.WriteLine($"{name,-36}{sorted[0],9:F0}{sorted[sorted.Length / 2],10:F0}");
}
