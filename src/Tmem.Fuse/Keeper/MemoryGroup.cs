using System.Globalization;
using Tmem.Fuse.Control.Messages;
using Tmem.Fuse.Mount;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The memory cgroup that the daemon is in. One that limits it must not swap: a worker that starts has pages that it has not locked yet, and the
/// group, once full, would put them on the very device that this worker is to serve. Formats: cgroup-v2 and cgroup-v1/memory of the
/// kernel's admin guide.
/// </summary>
internal static class MemoryGroup
{
    /// <summary>Version 1 says "no limit" as the largest number of whole pages.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>What makes it dangerous to swap to this daemon; null if nothing does, or nobody can say.</summary>
    /// <param name="root">The folder that /proc and /sys are in.</param>
    public static SwapDanger? Danger(string root = "/")
    {
        try
        {
            var mounts = MountTable.Parse(File.ReadLines(Path.Combine(root, "proc/self/mountinfo")));
            foreach (var line in File.ReadLines(Path.Combine(root, "proc/self/cgroup")))
            {
                // "4:memory:/a/b", or in version 2 "0::/a/b".
                if (line.Split(':', 3) is not [_, var controllers, var path]) continue;
                var unified = controllers.Length == 0;
                if (!unified && !controllers.Split(',').Contains("memory")) continue;
                var mount = mounts.FirstOrDefault(m => unified ? m.FileSystemType == "cgroup2" : m.FileSystemType == "cgroup" && m.Options.Split(',').Contains("memory"));
                if (mount.MountPoint is null) continue;
                // A container may see a part of the tree only.
                if (mount.Root != "/" && MountTable.IsBelow(path, mount.Root)) path = path[mount.Root.Length..];
                var top = Path.Combine(root, mount.MountPoint.TrimStart('/'));
                var group = Path.Combine(top, path.Trim('/')).TrimEnd('/');
                if ((unified ? DangerOfTwo(group, top) : DangerOfOne(group, top)) is { } danger) return danger;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No such files, or not for this process to read.
        }
        return null;
    }

    private static SwapDanger? DangerOfTwo(string group, string top)
    {
        var limit = NoLimit;
        foreach (var folder in Upwards(group, top))
        {
            if (Read(folder, "memory.swap.max") == 0) return null;
            limit = Math.Min(limit, Math.Min(Read(folder, "memory.max"), Read(folder, "memory.high")));
        }
        return Describe(limit, group, "memory.swap.max");
    }

    private static SwapDanger? DangerOfOne(string group, string top)
    {
        if (Read(group, "memory.swappiness") == 0) return null;
        var limit = NoLimit;
        foreach (var folder in Upwards(group, top))
        {
            var own = Read(folder, "memory.limit_in_bytes");
            // Memory and swap together are not more than memory alone: swapping gains nothing, and is not tried.
            if (own < NoLimit && Read(folder, "memory.memsw.limit_in_bytes") <= own) return null;
            limit = Math.Min(limit, own);
        }
        return Describe(limit, group, "memory.swappiness");
    }

    private static SwapDanger? Describe(long limit, string group, string remedy) => limit >= NoLimit ? null
        : new SwapDanger($"the daemon's memory group {group} is limited to {ByteSize.Format(limit)} and may swap: once it is full, the daemon's own memory "
            + "can be put on the swap device that it serves, and then both wait for ever", $"write 0 to {group}/{remedy} before anything is swapped to it");

    private static IEnumerable<string> Upwards(string group, string top)
    {
        for (var folder = group; folder is not null && folder.Length >= top.Length; folder = Path.GetDirectoryName(folder)) yield return folder;
    }

    /// <summary>A number, or <see cref="NoLimit"/> for "max" and for a file that is not there.</summary>
    private static long Read(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        return File.Exists(path) && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var value) ? Math.Min(value, NoLimit) : NoLimit;
    }
}
