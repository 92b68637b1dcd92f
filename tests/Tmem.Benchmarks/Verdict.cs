using System.Diagnostics;
using System.Globalization;

namespace Tmem.Benchmarks;

/// <summary>
/// Figures against their targets, one line each: what the run was for. Targets are for a corpus that lies beyond the processor's
/// caches, and those of times for a machine that has nothing else to do: else a figure that misses is not judged.
/// </summary>
/// <param name="pages">Pages that took part.</param>
/// <param name="ofTimes">Whether the figures are times, which others at work on the machine disturb.</param>
internal sealed class Verdict(long pages, bool ofTimes = true)
{
    /// <summary>As many as scripts/corpus makes: 64 MiB.</summary>
    public const long Fewest = (64 << 20) / PageFile.PageSize;

    private const double MostOfOthers = 0.1;
    private const int TicksASecond = 100; // USER_HZ, the same on every Linux machine

    private readonly double _others = SecondsOfOthers();
    private readonly long _began = Stopwatch.GetTimestamp();

    public void AtMost(string what, double found, double target) => Print(what, found, "<=", target, found <= target);

    public void AtLeast(string what, double found, double target) => Print(what, found, ">=", target, found >= target);

    public void Below(string what, double found, double target) => Print(what, found, "<", target, found < target);

    private void Print(string what, double found, string relation, double target, bool met) =>
        Console.WriteLine($"  {what,-64}{found,9:F3}   target {relation,2} {target:F2}   {Word(met)}");

    private string Word(bool met)
    {
        if (pages < Fewest) return $"not judged: too few pages ({pages}, {Fewest} are needed)";
        if (met) return "met";
        var others = (SecondsOfOthers() - _others) / Stopwatch.GetElapsedTime(_began).TotalSeconds / Environment.ProcessorCount;
        return ofTimes && others > MostOfOthers ? $"not judged: others had {others:P0} of the processors" : "MISSED";
    }

    /// <summary>Seconds for which the processors have worked for others than this process.</summary>
    private static double SecondsOfOthers()
    {
        // user, nice, system; idle and iowait are no work, and guests are part of user.
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var ticks = fields[1..4].Concat(fields[6..9]).Sum(field => long.Parse(field, CultureInfo.InvariantCulture));
        return (double)ticks / TicksASecond - Environment.CpuUsage.TotalTime.TotalSeconds;
    }
}
