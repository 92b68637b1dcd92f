namespace Tmem.Benchmarks;

/// <summary>What a figure means nothing without: the machine and the data.</summary>
internal static class MachineFacts
{
    public static void Print(string corpus)
    {
        if (!File.Exists(corpus))
            throw new BenchmarkException($"no corpus at {corpus}; make one with scripts/corpus.");
        PrintMachine();
        var manifest = Path.Combine(Path.GetDirectoryName(corpus) ?? ".", "manifest.txt");
        Console.WriteLine("corpus: " + (File.Exists(manifest) ? File.ReadAllText(manifest).Trim().ReplaceLineEndings("\n  ")
            : $"{corpus}, no manifest"));
        Console.WriteLine();
    }

    /// <summary>The machine alone, for what needs no corpus.</summary>
    public static void PrintMachine()
    {
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
        var kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        var cluster = File.ReadAllText("/proc/sys/vm/page-cluster").Trim();
        Console.WriteLine(
            $"machine: {Environment.ProcessorCount} cores ({model?.Split(": ")[^1] ?? "unknown"}), {memory} MiB, Linux {kernel}");
        Console.WriteLine($"swap read-ahead: 2^{cluster} pages (vm.page-cluster); runtime .NET {Environment.Version}");
    }
}
