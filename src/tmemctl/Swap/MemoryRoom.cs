using System.Globalization;
using Tmem.Control.Host;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>A memory group that has a limit and swapped pages. Bytes.</summary>
/// <param name="Folder">Where it is shown.</param>
/// <param name="Limit">Most that it may hold in memory.</param>
/// <param name="Used">What it holds in memory and cannot drop.</param>
/// <param name="Swapped">What it holds on all swap devices.</param>
/// <param name="HasStore">Whether the store is part of what it holds, and shrinks as swapped pages return.</param>
internal sealed record GroupRoom(string Folder, long Limit, long Used, long Swapped, bool HasStore = false);

/// <summary>
/// The memory that swapped pages could return to. Checked before swapoff(2), because a kernel that runs out of room during it
/// kills: in a group one of its processes, on the machine the caller. Only a certain shortage is reported: the others' swapped
/// pages are all counted as if they were on other devices.
/// </summary>
/// <param name="Available">MemAvailable.</param>
/// <param name="Groups">Groups with a limit.</param>
internal sealed record MemoryRoom(long Available, IReadOnlyList<GroupRoom> Groups)
{
    private const string One = "/sys/fs/cgroup/memory", Two = "/sys/fs/cgroup";
    private const long NoLimit = 1L << 60;
    private const int Deepest = 12;

    /// <summary>How much memory is missing to turn devices off, and where; null if no shortage is certain.</summary>
    /// <param name="devices">The devices.</param>
    /// <param name="swaps">All swap devices.</param>
    /// <param name="stored">The memory that the store frees when the devices' pages leave it.</param>
    public string? Shortage(IReadOnlyList<SwapEntry> devices, IReadOnlyList<SwapEntry> swaps, long stored)
    {
        var used = devices.Sum(device => device.UsedBytes);
        var others = swaps.Where(entry => devices.All(device => device.Device != entry.Device)).ToList();
        var (elsewhere, free) = (others.Sum(entry => entry.UsedBytes), others.Sum(entry => entry.SizeBytes - entry.UsedBytes));
        foreach (var group in Groups)
        {
            var room = Math.Max(0, group.Limit - group.Used) + (group.HasStore ? stored : 0);
            var missing = group.Swapped - elsewhere - room - free;
            if (missing > 0)
            {
                return $"{Words.Size(missing)} of memory are missing in the memory group {group.Folder}: "
                    + $"{Words.Size(group.Swapped)} of it are swapped, its limit of "
                    + $"{Words.Size(group.Limit)} leaves room for {Words.Size(room)}, and other swap devices for "
                    + $"{Words.Size(free)}";
            }
        }
        var lacking = used - Available - stored - free;
        return lacking <= 0 ? null
            : $"{Words.Size(lacking)} of memory are missing on this machine: {Words.Size(used)} are swapped, "
                + $"{Words.Size(Available)} are available, "
            + $"the store gives back {Words.Size(stored)}, and other swap devices have room for {Words.Size(free)}";
    }

    /// <summary>Reads it.</summary>
    /// <param name="daemon">A process of the daemon, to know the groups that the store is in.</param>
    public static MemoryRoom Read(int daemon)
    {
        var available = 0L;
        foreach (var line in Lines("/proc/meminfo"))
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal)) available = Kibibytes(line);
        var groups = new List<GroupRoom>();
        if (File.Exists(One + "/memory.limit_in_bytes")) Collect(One, groups, OfOne, 0);
        else if (File.Exists(Two + "/cgroup.controllers")) Collect(Two, groups, OfTwo, 0);
        var holder = GroupOf(daemon);
        return new MemoryRoom(available, [.. groups.Select(group => group with { HasStore = IsIn(holder, group.Folder) })]);
    }

    private static void Collect(string folder, List<GroupRoom> groups, Func<string, GroupRoom> read, int depth)
    {
        if (read(folder) is { Limit: < NoLimit, Swapped: > 0 } group) groups.Add(group);
        if (depth == Deepest) return;
        try
        {
            foreach (var below in Directory.EnumerateDirectories(folder)) Collect(below, groups, read, depth + 1);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Gone meanwhile.
        }
    }

    // "total_" figures are those of the group and all below it, as its limit is. Of what it holds, only what cannot be dropped
    // counts: private memory, shared memory and tmpfs (in "cache", which otherwise can be), and the kernel's own.
    internal static GroupRoom OfOne(string folder) => new(folder, Figure(folder + "/memory.limit_in_bytes"),
        Stat(folder, "total_rss ", "total_shmem "), Stat(folder, "total_swap "));

    internal static GroupRoom OfTwo(string folder) => new(folder, Figure(folder + "/memory.max"),
        Stat(folder, "anon ", "shmem ", "kernel_stack ", "pagetables ", "slab_unreclaimable "),
        Figure(folder + "/memory.swap.current"));

    private static long Stat(string folder, params string[] names) =>
        Lines(folder + "/memory.stat").Sum(line => names.FirstOrDefault(name => line.StartsWith(name, StringComparison.Ordinal))
            is { } name ? Number(line[name.Length..]) : 0);

    /// <summary>The memory group of a process, as it is shown here; null if nobody can say.</summary>
    private static string? GroupOf(int process)
    {
        foreach (var line in Lines($"/proc/{process}/cgroup"))
        {
            var fields = line.Split(':', 3);
            if (fields.Length == 3 && fields[1].Split(',').Contains("memory")) return One + fields[2].TrimEnd('/');
            if (fields is ["0", "", var unified] && !File.Exists(One + "/memory.limit_in_bytes"))
                return Two + unified.TrimEnd('/');
        }
        return null;
    }

    /// <summary>Unless it is known not to be: only a shortage that is certain is reported.</summary>
    private static bool IsIn(string? holder, string group) =>
        holder is null || (holder + "/").StartsWith(group + "/", StringComparison.Ordinal);

    /// <summary>"max", and a missing file (the top group has none), mean no limit.</summary>
    private static long Figure(string file) => Lines(file).FirstOrDefault() is { } line && line.Trim() != "max" 
        ? Number(line)
        : file.EndsWith(".current", StringComparison.Ordinal) ? 0 : NoLimit;

    private static long Number(string text) => long.TryParse(text.Trim(), CultureInfo.InvariantCulture, out var number)
        ? number
        : NoLimit;

    private static long Kibibytes(string line) => Number(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal)) * 1024;

    private static string[] Lines(string file) => KernelFile.TryRead(file)?.Split('\n') ?? [];
}
