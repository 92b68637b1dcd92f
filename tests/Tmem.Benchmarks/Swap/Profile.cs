using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// Where the time goes: perf over the whole machine while the workload runs, because a page on its way through swap, block layer,
/// FUSE and daemon spends its time in several processes and in the kernel.
/// </summary>
internal sealed class Profile : IDisposable
{
    private const int SignalInterrupt = 2;
    private readonly Child _perf;
    private readonly string _data;

    private Profile(Child perf, string data) => (_perf, _data) = (perf, data);

    /// <summary>Starts sampling into a file; null when no folder is asked for.</summary>
    public static Profile? Start(string? folder, string peer)
    {
        if (string.IsNullOrEmpty(folder)) return null;
        Directory.CreateDirectory(folder);
        var data = Path.Combine(folder, $"{peer}.data");
        // The software clock, since a virtual machine often has no cycle counter.
        return new Profile(Child.Start("perf", "record", "--quiet", "-e", "cpu-clock", "-F", "997", "-a", "-o", data), data);
    }

    /// <summary>Ends the sampling and writes two tables beside the data: by process, and by process and function.</summary>
    public void Dispose()
    {
        _ = Native.kill(_perf.Process.Id, SignalInterrupt);
        _perf.Process.WaitForExit(30_000);
        _perf.Dispose();
        var report = Path.ChangeExtension(_data, ".txt");
        // The idle task is a processor with nothing to do, not work.
        File.WriteAllText(report, Report("comm") + Report("comm,dso,symbol"));
        Console.WriteLine($"profile: {report}");
    }

    private string Report(string sort)
    {
        var (_, text) = Child.TryRun("perf", "report", "-i", _data, "--stdio", "--no-children", "--sort", sort, "--percent-limit",
            "0.1");
        var lines = text.Split('\n').Where(l => l.Contains('%') && !l.Contains(" swapper ")).Take(80);
        return string.Concat(lines.Select(l => l.TrimEnd() + "\n")) + "\n";
    }
}
