using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>mkswap, swapon, swapoff and what /proc/swaps says of one device.</summary>
internal static class SwapDevice
{
    public static void On(string device, int priority, bool discard)
    {
        Child.Run("mkswap", device);
        string[] options = discard ? ["--discard"] : [];
        Child.Run("swapon", [.. options, "--priority", priority.ToString(), device]);
    }

    public static void Off(string device)
    {
        if (IsOn(device)) Child.Run("swapoff", device);
    }

    public static bool IsOn(string device) => Line(device) is not null;

    /// <summary>The devices that are on now.</summary>
    public static string[] All() => [.. File.ReadLines("/proc/swaps").Skip(1).Select(l => l.Split(' ')[0])];

    public static long UsedBytes(string device) => Line(device) is { } line
        ? long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[3]) * 1024
        : 0;

    private static string? Line(string device) =>
        File.ReadLines("/proc/swaps").FirstOrDefault(l => l.Split([' ', '\t'])[0] == device);
}
