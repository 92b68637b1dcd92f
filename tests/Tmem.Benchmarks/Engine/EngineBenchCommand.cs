using System.CommandLine;
using Tmem.Benchmarks.Swap;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>engine</c>: the engine against its codec, zram, itself on two threads, itself with more pages, and other eviction policies.
/// </summary>
internal static class EngineBenchCommand
{
    private static readonly (string Name, Func<EngineBench, long> Run)[] Tables =
    [
        ("cost", CostTable.Run),
        ("runs", RunsTable.Run),
        ("zram", ZramTable.Run),
        ("threads", ThreadsTable.Run),
        ("flat", FlatTable.Run),
        ("attach", AttachTable.Run),
        ("names", NamesTable.Run),
        ("memory", MemoryTable.Run),
        ("eviction", EvictionTable.Run),
    ];

    public static Command Create()
    {
        var names = string.Join(',', Tables.Select(t => t.Name));
        var rounds = Options.Number("--rounds", 7, 1, "Rounds; whoever is compared takes part in each.");
        var pages = Options.With("--pages", 0, "Pages of the corpus to use, and of each store of the table memory; 0 for all.");
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages, see scripts/corpus.");
        var only = Options.With("--only", names, "Which tables, separated by commas.");
        var many = Options.With("--many", 8_000_000L, "Pages of the large store of the tables flat and attach.");
        var whole = Options.With("--whole", false, "Corpus pages instead of slices of them there: 8 million take 14 GiB.");
        var huge = Options.With("--huge", false,
            "In the table flat, hold the region in pages of 2 MiB (EngineOptions.HugePages).");
        var trace = Options.With<string?>("--trace", null,
            "A trace, or a folder of them, for the table eviction: see docs/benchmarking.md.");
        var command = new Command("engine", "Measures the engine; tables with targets and verdicts.") { rounds, pages, corpus,
            only, many, whole, huge, trace };
        command.SetAction(parse =>
        {
            if (parse.GetValue(many) < 1_000_000) throw new UsageException("--many must be 1000000 or more.");
            var wanted = parse.GetValue(only)!.Split(',', StringSplitOptions.RemoveEmptyEntries);
            if (wanted.FirstOrDefault(w => !Tables.Any(t => t.Name == w)) is { } unknown)
                throw new UsageException($"--only: no table '{unknown}'; there are {names}.");
            MachineFacts.Print(parse.GetValue(corpus)!);
            using var data = PageFile.Load(parse.GetValue(corpus)!, parse.GetValue(pages));
            using var interrupt = new Interrupt();
            var bench = new EngineBench(data, parse.GetValue(pages), parse.GetValue(rounds), parse.GetValue(many),
                parse.GetValue(whole), parse.GetValue(huge), parse.GetValue(trace), interrupt);
            long wrong = 0;
            foreach (var (name, run) in Tables)
            {
                if (!wanted.Contains(name)) continue;
                wrong += run(bench);
                Console.WriteLine();
            }
            Console.WriteLine($"wrong pages, all tables: {wrong}");
            return wrong == 0 ? 0 : 4;
        });
        return command;
    }
}
