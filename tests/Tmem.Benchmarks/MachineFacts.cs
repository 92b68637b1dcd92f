namespace Tmem.Benchmarks;

/// <summary>What a figure means nothing without: the machine and the data.</summary>
internal static class MachineFacts
{
    public static void Print(string corpus)
    {
        if (!File.Exists(corpus)) throw new BenchmarkException($"no corpus at {corpus}; make one with scripts/corpus.");
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[^1] ?? "unknown";
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
        Console.WriteLine($"machine: {Environment.ProcessorCount} cores ({model}), {memory} MiB, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}");
        Console.WriteLine($"swap read-ahead: 2^{File.ReadAllText("/proc/sys/vm/page-cluster").Trim()} pages (vm.page-cluster); runtime .NET {Environment.Version}");
        var manifest = Path.Combine(Path.GetDirectoryName(corpus) ?? ".", "manifest.txt");
        Console.WriteLine("corpus: " + (File.Exists(manifest) ? File.ReadAllText(manifest).Trim().ReplaceLineEndings("\n  ") : $"{corpus}, no manifest"));
        Console.WriteLine();
    }
}
