using System.Globalization;

namespace Tmem.Benchmarks.Linux;

/// <summary>What the kernel says a process used: /proc/PID/stat and /proc/PID/status.</summary>
internal static class ProcessTimes
{
    // USER_HZ is 100 on every architecture .NET runs on.
    private const double TicksASecond = 100;

    /// <summary>User and system seconds of a process and of the children it has waited for; 0 when it is gone.</summary>
    public static double CpuSeconds(int process)
    {
        var fields = Stat($"/proc/{process}/stat");
        return fields is null ? 0
            : (Number(fields, 11) + Number(fields, 12) + Number(fields, 13) + Number(fields, 14)) / TicksASecond;
    }

    /// <summary>Nanoseconds of processor time that the calling thread has had, user and system.</summary>
    public static unsafe long ThreadNanoseconds()
    {
        const int threadCpuTime = 3;
        var time = stackalloc long[2];
        _ = Native.clock_gettime(threadCpuTime, time);
        return time[0] * 1_000_000_000 + time[1];
    }

    /// <summary>Major faults of the calling process so far.</summary>
    public static long MajorFaults() => (long)(Stat("/proc/self/stat") is { } fields ? Number(fields, 9) : 0);

    /// <summary>Seconds all processors together were busy since the start of the machine.</summary>
    public static double MachineCpuSeconds()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];
        // user nice system idle iowait irq softirq: idle and iowait are not work; steal and guest are others' or counted twice.
        return fields.Take(7).Where((_, i) => i is not 3 and not 4)
            .Sum(f => double.Parse(f, CultureInfo.InvariantCulture)) / TicksASecond;
    }

    /// <summary>A field of /proc/PID/status in bytes, such as VmRSS or VmSwap; 0 when there is none.</summary>
    public static long StatusBytes(string process, string field)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(l => l.StartsWith(field + ":", StringComparison.Ordinal));
            // "VmRSS:	   1234 kB"
            return line is null ? 0
                : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    // The command's name may hold spaces and parentheses, so fields count from the last ')'; index 0 is the state.
    private static string[]? Stat(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static double Number(string[] fields, int index) => double.Parse(fields[index], CultureInfo.InvariantCulture);
}
