using System.Globalization;

namespace Tmem.Benchmarks.Swap;

/// <summary>Prints medians a peer and, for the last peer against the first, their ratios.</summary>
internal static class SwapTable
{
    private const double MiB = 1 << 20;

    private static readonly (string Title, Func<SwapRound, double?> Value)[] Rows =
    [
        ("fill s", r => r.Fill.Seconds),
        ("in order s", r => r.InOrder.Seconds),
        ("random us, mean", r => r.Random.MeanMicroseconds),
        ("random us, median", r => r.Random.MedianMicroseconds),
        ("random us, 99 %", r => r.Random.P99Microseconds),
        ("major faults, random", r => r.Random.MajorFaults),
        ("swapped after fill MiB", r => r.AfterFill.SwapUsedBytes / MiB),
        ("store memory MiB", r => r.AfterFill.StoreBytes / MiB),
        ("store / swapped", r => (double)r.AfterFill.StoreBytes / r.AfterFill.SwapUsedBytes),
        ("daemon memory MiB", r => r.AfterFill.ProcessBytes > 0 ? r.AfterFill.ProcessBytes / MiB : null),
        ("daemon CPU s", r => r.DaemonCpu),
        ("machine CPU s", r => r.MachineCpu),
    ];

    /// <summary>Prints the table and returns how many pages came back wrong in all rounds.</summary>
    public static long Print(Dictionary<string, List<SwapRound>> runs, long bytes)
    {
        var names = runs.Keys.ToArray();
        var ratio = names.Length > 1 ? $"{names[^1]} / {names[0]}" : "";
        Console.WriteLine($"{bytes >> 20} MiB of stamped corpus pages, {bytes >> 22} MiB may stay in memory; "
            + $"medians of {runs[names[0]].Count} rounds in turn");
        Console.WriteLine($"{"",-24}{string.Concat(names.Select(n => $"{n,12}"))}{ratio,16}");
        foreach (var (title, value) in Rows)
        {
            var medians = names.Select(n => Median(runs[n].Select(value))).ToArray();
            var compare = names.Length > 1 && medians[^1] is { } last && medians[0] is > 0 and { } first ? Number(last / first)
                : "";
            Console.WriteLine(
                $"{title,-24}{string.Concat(medians.Select(m => $"{(m is { } v ? Number(v) : "-"),12}"))}{compare,16}");
        }
        long Wrong(string name) => runs[name].Sum(r => r.Fill.WrongPages + r.InOrder.WrongPages + r.Random.WrongPages);
        Console.WriteLine($"{"wrong pages, all rounds",-24}{string.Concat(names.Select(n => $"{Wrong(n),12}"))}");
        return names.Sum(Wrong);
    }

    private static double? Median(IEnumerable<double?> values)
    {
        var sorted = values.OfType<double>().Order().ToArray();
        if (sorted.Length == 0) return null;
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Number(double value) =>
        value.ToString(value >= 100 ? "F0" : value >= 10 ? "F1" : "F2", CultureInfo.InvariantCulture);
}
