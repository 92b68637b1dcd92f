using System.Globalization;

namespace Tmem.Control.Host;

/// <summary>The machine's memory.</summary>
internal static class PhysicalMemory
{
    /// <summary>MemTotal in bytes.</summary>
    public static long Bytes
    {
        get
        {
            const string key = "MemTotal:";
            var line = File.ReadLines("/proc/meminfo").First(l => l.StartsWith(key, StringComparison.Ordinal));
            return long.Parse(line.AsSpan(key.Length).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture) << 10;
        }
    }
}
