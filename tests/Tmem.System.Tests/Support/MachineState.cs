namespace Tmem.System.Tests.Support;

/// <summary>What a machine has of the things tmem makes: swap devices, mounts, loop devices in use, daemons.</summary>
internal static class MachineState
{
    /// <summary>One line each, in order: equal before and after means nothing was left behind.</summary>
    public static string[] Read() =>
    [
        .. Swaps().Select(s => $"swap {s}"),
        .. File.ReadLines("/proc/mounts").Select(l => l.Split(' '))
            .Where(f => f[2].StartsWith("fuse", StringComparison.Ordinal)).Select(f => $"mount {f[1]} {f[2]}").Order(),
        .. Loops().Select(l => $"loop {l.Device} {l.File}"),
        .. Daemons().Select(d => $"process {d}"),
    ];

    /// <summary>The devices and files swapped to now.</summary>
    public static string[] Swaps() => [.. File.ReadLines("/proc/swaps").Skip(1).Select(l => l.Split([' ', '\t'])[0]).Order()];

    /// <summary>Loop devices and the files behind them.</summary>
    public static (string Device, string File)[] Loops() =>
    [
        .. Directory.EnumerateDirectories("/sys/block", "loop*")
            .Select(d => (Device: $"/dev/{Path.GetFileName(d)}", File: TryRead(Path.Combine(d, "loop/backing_file")).Trim()))
            .Where(l => l.File.Length > 0).Order(),
    ];

    /// <summary>True when a file system is mounted on that folder.</summary>
    public static bool IsMounted(string folder) => File.ReadLines("/proc/self/mountinfo").Any(l => l.Split(' ')[4] == folder);

    private static IEnumerable<int> Daemons() => Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
        .Where(n => int.TryParse(n, out _) && TryRead($"/proc/{n}/comm").Trim() == "tmemd").Select(int.Parse!).Order();

    // Devices and processes may go while they are listed.
    private static string TryRead(string path)
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
