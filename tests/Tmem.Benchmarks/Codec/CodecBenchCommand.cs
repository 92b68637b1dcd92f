using System.CommandLine;
using System.Diagnostics;
using Tmem.Benchmarks.Linux;
using Tmem.Engine.Codec;

namespace Tmem.Benchmarks.Codec;

/// <summary>
/// <c>codec</c>: what a page costs in the codec alone, encode and decode, ours beside the stock ones in the same run. In every
/// round each codec goes once over the whole corpus, so that what disturbs the machine disturbs all of them; the minimum says
/// what the code can do, the median what it did on this machine today. Ratios are of medians.
/// </summary>
internal static unsafe class CodecBenchCommand
{
    private const int Page = PageFile.PageSize;

    public static Command Create()
    {
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages, see scripts/corpus.");
        var runs = Options.Number("--runs", 7, 1, "Rounds over the corpus, each codec once in each.");
        var dictionaries = Options.With("--dictionaries", false, "Zstandard with dictionaries of several sizes instead.");
        var segment = Options.Number("--segment", ZstdTrainer.Segment, 16, "The trainer's length of segments.");
        var command = new Command("codec", "Measures the codecs on the corpus, nanoseconds a page.") { corpus, runs,
            dictionaries, segment };
        command.SetAction(parse =>
        {
            MachineFacts.Print(parse.GetValue(corpus)!);
            using var pages = PageFile.Load(parse.GetValue(corpus)!);
            if (parse.GetValue(dictionaries)) DictionaryTable.Run(pages, parse.GetValue(segment));
            else Measure(pages, parse.GetValue(runs));
        });
        return command;
    }

    private static void Measure(PageFile pages, int runs)
    {
        using var packed = new PackedPages(pages.Count);
        using var room = new AnonymousMemory(Page);
        var verdict = new Verdict(pages.Count);
        var own = new PageSubject();
        var native = NativeLz4.Present ? new NativeSubject() : null;
        Subject[] subjects = native == null ? [own, new K4osSubject()] : [own, new K4osSubject(), native];
        var copy = new List<double>();
        var crossed = new List<double>();

        // One round more than is counted: the first meets cold code and cold memory, and is the one that is checked byte for
        // byte.
        for (var round = -1; round < runs; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var page = 0; page < pages.Count; page++) Buffer.MemoryCopy(pages.Pointer(page), room.Page(0), Page, Page);
            Note(copy, round, start, pages.Count);
            foreach (var subject in subjects)
            {
                start = Stopwatch.GetTimestamp();
                subject.Encode(pages, packed);
                Note(subject.EncodeTimes, round, start, pages.Count);
                start = Stopwatch.GetTimestamp();
                var wrong = subject.Decode(packed, room.Page(0));
                Note(subject.DecodeTimes, round, start, pages.Count);
                if (wrong > 0) throw new BenchmarkException($"{subject.Name}: {wrong} blocks did not decode to a page.");
                if (round < 0) Check(subject, subjects, pages, packed, room.Page(0));
                if (subject != native) continue;
                // liblz4's blocks are in place: what our decoder alone makes of the same input.
                start = Stopwatch.GetTimestamp();
                _ = own.Decode(packed, room.Page(0));
                Note(crossed, round, start, pages.Count);
            }
        }

        Print(runs, pages.Count, copy, subjects, native);
        if (native != null) Verdicts(verdict, pages.Count, own, native, crossed);
    }

    private static void Note(List<double> times, int round, long start, int pages)
    {
        if (round >= 0) times.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds / pages);
    }

    /// <summary>Counts the subject's bytes and lets every decoder unpack its blocks.</summary>
    private static void Check(Subject subject, Subject[] decoders, PageFile pages, PackedPages packed, byte* room)
    {
        subject.Bytes = packed.Lengths.Sum(l => (long)l);
        subject.Stored = packed.Lengths.Sum(l => (long)Math.Min(l, Page));
        subject.Raw = packed.Lengths.Count(l => l >= Page);
        using var one = new PackedPages(1);
        foreach (var decoder in decoders)
            for (var page = 0; page < pages.Count; page++)
            {
                packed.Block(page).CopyTo(one.Room(0));
                one.Lengths[0] = packed.Lengths[page];
                if (decoder.Decode(one, room) != 0 || !pages[page].SequenceEqual(new ReadOnlySpan<byte>(room, Page)))
                    throw new BenchmarkException($"{decoder.Name} did not decode page {page} as {subject.Name} encoded it.");
            }
    }

    private static void Print(int runs, int pages, List<double> copy, Subject[] subjects, Subject? native)
    {
        double all = (long)pages * Page;
        Console.WriteLine(
            $"{runs} interleaved rounds over {pages} pages, ns a page, minimum / median; speed and ratio beside liblz4's "
            + "(medians)");
        Console.WriteLine($"{"",-24}{"encode",15}{"decode",15}{"ratio",8}{"encode",9}{"decode",8}{"ratio",8}");
        Console.WriteLine($"{"memcpy",-24}{Times(copy),15}");
        foreach (var s in subjects)
        {
            var beside = native == null ? "" : $"{Median(native.EncodeTimes) / Median(s.EncodeTimes),8:F2}x"
                + $"{Median(native.DecodeTimes) / Median(s.DecodeTimes),7:F2}x{100.0 * native.Bytes / s.Bytes,7:F1}%";
            Console.WriteLine($"{s.Name,-24}{Times(s.EncodeTimes),15}{Times(s.DecodeTimes),15}{all / s.Bytes,8:F3}{beside}");
        }
        foreach (var s in subjects)
            Console.WriteLine($"{s.Name}: ratio {all / s.Stored:F3} with the {s.Raw} pages that do not shrink kept raw");
        if (native == null)
            Console.WriteLine("liblz4.so.1 is not installed (Debian: liblz4-1): no comparison with it and no verdicts.");
    }

    private static void Verdicts(Verdict verdict, int pages, Subject own, Subject native, List<double> crossed)
    {
        Console.WriteLine();
        verdict.AtLeast("encode, times liblz4's speed", Median(native.EncodeTimes) / Median(own.EncodeTimes), 2);
        new Verdict(pages, ofTimes: false).AtLeast("compression ratio, part of liblz4's", (double)native.Bytes / own.Bytes, 0.97);
        verdict.AtLeast("decode of own blocks, times liblz4's speed on its own",
            Median(native.DecodeTimes) / Median(own.DecodeTimes), 1);
        verdict.AtLeast("decode of liblz4's blocks, times liblz4's speed", Median(native.DecodeTimes) / Median(crossed), 1);
    }

    private static string Times(List<double> times) => $"{times.Min():F0} / {Median(times):F0}";

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
