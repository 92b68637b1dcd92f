using System.Globalization;

namespace Tmem.Benchmarks.Linux;

/// <summary>
/// A process with all that descend from it. The daemon that was started is a keeper, which works next to nothing: a worker of
/// its, which may be replaced while it is looked at, has the processor time and the memory.
/// </summary>
internal static class ProcessFamily
{
    /// <summary>
    /// User and system seconds of all of them, those included that have ended: whoever waited for one has its time.
    /// </summary>
    public static double CpuSeconds(int process) => Members(process).Sum(ProcessTimes.CpuSeconds);

    /// <summary>Bytes resident in them, with what several share counted once; 0 when all are gone.</summary>
    public static long ResidentBytes(int process) => Members(process).Sum(ProportionalBytes);

    private static List<int> Members(int process)
    {
        List<int> members = [process];
        for (var at = 0; at < members.Count; at++) members.AddRange(Children(members[at]));
        return members;
    }

    // A child belongs to the thread that made it.
    private static IEnumerable<int> Children(int process)
    {
        try
        {
            return [.. Directory.GetDirectories($"/proc/{process}/task")
                .SelectMany(task => Read(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Select(child => int.Parse(child, CultureInfo.InvariantCulture))];
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static long ProportionalBytes(int process)
    {
        // "Pss:   1234 kB"
        var lines = Read($"/proc/{process}/smaps_rollup").Split('\n');
        var words = lines.FirstOrDefault(l => l.StartsWith("Pss:", StringComparison.Ordinal))?.Split(' ',
            StringSplitOptions.RemoveEmptyEntries);
        return words is null ? 0 : long.Parse(words[1], CultureInfo.InvariantCulture) << 10;
    }

    /// <summary>A file of /proc; empty when the process or thread has ended meanwhile.</summary>
    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
