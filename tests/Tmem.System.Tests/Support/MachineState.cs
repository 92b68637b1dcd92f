using System.Globalization;

namespace Tmem.System.Tests.Support;

/// <summary>The machine's things that tmem makes: mounts, loop devices in use, swap devices, daemons.</summary>
internal static class MachineState
{
    /// <summary>
    /// One line for each mount, loop device, swap device and daemon that belongs to a folder. Only those: other daemons may come
    /// and go on the machine meanwhile.
    /// </summary>
    public static string[] Of(string folder)
    {
        var loops = Loops().Where(l => l.File.StartsWith(folder + "/", StringComparison.Ordinal)).ToArray();
        return
        [
            .. File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')[4])
                .Where(m => m.StartsWith(folder + "/", StringComparison.Ordinal)).Select(m => $"mount {m}"),
            .. loops.Select(l => $"loop {l.Device} {l.File}"),
            .. Swaps().Intersect(loops.Select(l => l.Device)).Select(s => $"swap {s}"),
            .. Daemons().Where(d => d.Line.Contains(folder, StringComparison.Ordinal)).Select(d => $"process {d.Id}"),
        ];
    }

    /// <summary>The same, once there are so many: the stand-by starts a moment after the worker that serves.</summary>
    public static string[] Of(string folder, int lines)
    {
        for (var tries = 0; tries < 200 && Of(folder).Length < lines; tries++) Thread.Sleep(50);
        return Of(folder);
    }

    /// <summary>The processes of the daemon that a folder is for.</summary>
    public static int[] ProcessesOf(string folder) =>
    [
        .. Daemons().Where(daemon => daemon.Line.Contains(folder, StringComparison.Ordinal))
            .Select(daemon => int.Parse(daemon.Id, CultureInfo.InvariantCulture)),
    ];

    /// <summary>The devices and files in use as swap.</summary>
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

    private static IEnumerable<(string Id, string Line)> Daemons() =>
        Directory.EnumerateDirectories("/proc").Select(d => Path.GetFileName(d)!)
        .Where(n => char.IsAsciiDigit(n[0]) && TryRead($"/proc/{n}/comm").StartsWith("tmemd", StringComparison.Ordinal))
            .Select(n => (n, TryRead($"/proc/{n}/cmdline")));

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
