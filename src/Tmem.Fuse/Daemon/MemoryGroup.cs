using System.Globalization;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Engine;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The daemon's memory cgroup. A group with a limit must have room for the store, and must not swap: a starting worker has pages
/// that are not locked yet, and a full group would swap them out to the very device that this worker is to serve. Formats:
/// cgroup-v2 and cgroup-v1/memory of the kernel's admin guide.
/// </summary>
/// <param name="Folder">Its directory.</param>
/// <param name="LimitBytes">Its limit, or a lower one of a group above; <see cref="NoLimit"/> if there is none.</param>
/// <param name="SwapFile">The file that takes a 0 to stop the group from swapping; null if it does not swap.</param>
internal sealed record MemoryGroup(string Folder, long LimitBytes, string? SwapFile)
{
    private const string LimitFiles = "memory.max; in version 1 memory.limit_in_bytes";

    private static readonly string[] s_counters = ["memory.events", "memory.oom_control"];

    /// <summary>More than any machine has.</summary>
    public const long NoLimit = 1L << 60;

    /// <summary>Memory of the daemon beside the store: two processes ready to serve, page tables, buffers.</summary>
    private const long Beside = 64 << 20;

    /// <summary>What makes swapping to a daemon in this group dangerous; null if nothing does.</summary>
    public SwapDanger? Danger => LimitBytes >= NoLimit || SwapFile is null ? null
        : new SwapDanger(
            $"the daemon's memory group {Folder} is limited to {ByteSize.Format(LimitBytes)} and may swap: once it is full, the "
            + "daemon's own memory "
            + "can be put on the swap device that it serves, and then both wait for ever",
                $"write 0 to {SwapFile} before anything is swapped to it");

    /// <summary>Why a store of this capacity does not fit, and the remedy; null if it fits.</summary>
    public string? TooSmallFor(long capacity) => LimitBytes - Beside >= capacity ? null
        : $"The daemon's memory group {Folder} is limited to {ByteSize.Format(LimitBytes)}, and the capacity is "
            + $"{ByteSize.Format(capacity)}: a store that fills up makes the kernel kill "
            + $"the daemon. {(LimitBytes - Beside < EngineOptions.MinimumCapacity ? "No capacity fits: raise"
                : $"Give a capacity of at most {ByteSize.Format(LimitBytes - Beside)}, or raise")} the limit to "
            + $"{ByteSize.Format(capacity + Beside)} or more ({LimitFiles}).";

    /// <summary>The keeper's advice when the out-of-memory killer kills worker after worker.</summary>
    public Keeper.MemoryAdvice AdviceFor(long capacity) => new(LimitBytes >= NoLimit ? ""
        : $"The daemon's memory group {Folder} is limited to {ByteSize.Format(LimitBytes)}, and the store may take "
            + $"{ByteSize.Format(capacity)}: raise the limit to {ByteSize.Format(capacity + Beside)} or more "
            + $"({LimitFiles}). ", OutOfMemoryCounter);

    /// <summary>
    /// The file in which the kernel counts its out-of-memory kills in this group, in version 2 or 1; null if there is none.
    /// </summary>
    private string? OutOfMemoryCounter => Folder.Length == 0 ? null
        : s_counters.Select(file => Path.Combine(Folder, file)).FirstOrDefault(File.Exists);

    /// <summary>The group of this process; one without a limit if unknown.</summary>
    /// <param name="root">The directory of /proc and /sys.</param>
    public static MemoryGroup Read(string root = "/")
    {
        MemoryGroup? unlimited = null;
        try
        {
            var mounts = MountTable.Parse(File.ReadLines(Path.Combine(root, "proc/self/mountinfo")));
            foreach (var line in File.ReadLines(Path.Combine(root, "proc/self/cgroup")))
            {
                // "4:memory:/a/b", or in version 2 "0::/a/b".
                if (line.Split(':', 3) is not [_, var controllers, var path]) continue;
                var unified = controllers.Length == 0;
                if (!unified && !controllers.Split(',').Contains("memory")) continue;
                var mount = mounts.FirstOrDefault(m => unified ? m.FileSystemType == "cgroup2" : m.FileSystemType == "cgroup"
                    && m.Options.Split(',').Contains("memory"));
                if (mount.MountPoint is null) continue;
                // A container may see only a part of the tree.
                if (mount.Root != "/" && MountTable.IsBelow(path, mount.Root)) path = path[mount.Root.Length..];
                var top = Path.Combine(root, mount.MountPoint.TrimStart('/'));
                var folder = Path.Combine(top, path.Trim('/')).TrimEnd('/');
                var group = unified ? OfTwo(folder, top) : OfOne(folder, top);
                if (group.LimitBytes < NoLimit) return group;
                if (group.OutOfMemoryCounter is not null) unlimited ??= group;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No such files, or access is denied.
        }
        return unlimited ?? new MemoryGroup("", NoLimit, null);
    }

    private static MemoryGroup OfTwo(string group, string top)
    {
        var limit = NoLimit;
        var swaps = true;
        foreach (var folder in Upwards(group, top))
        {
            swaps &= Figure(folder, "memory.swap.max") != 0;
            limit = Math.Min(limit, Math.Min(Figure(folder, "memory.max"), Figure(folder, "memory.high")));
        }
        return new MemoryGroup(group, limit, swaps ? $"{group}/memory.swap.max" : null);
    }

    private static MemoryGroup OfOne(string group, string top)
    {
        var limit = NoLimit;
        var swaps = Figure(group, "memory.swappiness") != 0;
        foreach (var folder in Upwards(group, top))
        {
            var own = Figure(folder, "memory.limit_in_bytes");
            // A limit of memory and swap together that equals that of memory: swapping gains nothing, and is not tried.
            swaps &= own >= NoLimit || Figure(folder, "memory.memsw.limit_in_bytes") > own;
            limit = Math.Min(limit, own);
        }
        return new MemoryGroup(group, limit, swaps ? $"{group}/memory.swappiness" : null);
    }

    private static IEnumerable<string> Upwards(string group, string top)
    {
        for (var folder = group; folder is not null && folder.Length >= top.Length; folder = Path.GetDirectoryName(folder))
            yield return folder;
    }

    /// <summary>
    /// A number, or <see cref="NoLimit"/> for "max", for version 1's largest number of whole pages, and for a missing file.
    /// </summary>
    private static long Figure(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        return File.Exists(path) && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var value)
            ? Math.Min(value, NoLimit) : NoLimit;
    }
}
