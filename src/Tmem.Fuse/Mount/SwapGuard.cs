using Tmem.Control.Host;

namespace Tmem.Fuse.Mount;

/// <summary>
/// The swap devices on files of a mount. Unmounting under one, or ending the daemon, would kill every process with pages there,
/// so a stop is refused while there is any.
/// </summary>
internal static class SwapGuard
{
    /// <summary>
    /// The swap devices below a mount point, each in words: "/dev/loop0 (on /mnt/tmem/swap/file)". Empty if none.
    /// </summary>
    public static IReadOnlyList<string> SwapInUse(string mountPoint) =>
        SwapInUse(mountPoint, File.Exists("/proc/swaps") ? File.ReadAllLines("/proc/swaps") : [], "/sys/class/block");

    /// <summary>The same, from given sources.</summary>
    public static IReadOnlyList<string> SwapInUse(string mountPoint, IEnumerable<string> swaps, string classBlock)
    {
        var found = new List<string>();
        // The first line is the header.
        foreach (var line in swaps.Skip(1))
        {
            var escaped = line.Split([' ', '\t'], 2)[0];
            if (escaped.Length == 0) continue;
            var device = WithoutDeleted(MountTable.Unescape(escaped));
            if (MountTable.IsBelow(device, mountPoint)) found.Add(device);
            else if (BackingBelow(Path.GetFileName(device), mountPoint, classBlock, depth: 0) is { } file)
                found.Add($"{device} (on {file})");
        }
        return found;
    }

    /// <summary>
    /// The file below the mount that a block device is on: as a loop device, a partition of one, or through a mapper's slaves.
    /// </summary>
    private static string? BackingBelow(string name, string mountPoint, string classBlock, int depth)
    {
        const int deepest = 8;
        var directory = Path.Combine(classBlock, name);
        if (depth > deepest || !Directory.Exists(directory)) return null;
        // A partition's directory lies inside its disk's; the entries of /sys/class/block are links to both.
        directory = Directory.ResolveLinkTarget(directory, returnFinalTarget: true)?.FullName ?? directory;
        foreach (var disk in (string[])[directory, Path.GetDirectoryName(directory)!])
        {
            if (KernelFile.TryRead(Path.Combine(disk, "loop/backing_file")) is { } backing
                && WithoutDeleted(backing) is var file && MountTable.IsBelow(file, mountPoint)) return file;
        }
        var slaves = Path.Combine(directory, "slaves");
        if (!Directory.Exists(slaves)) return null;
        return Directory.EnumerateFileSystemEntries(slaves)
            .Select(slave => BackingBelow(Path.GetFileName(slave), mountPoint, classBlock, depth + 1))
            .FirstOrDefault(file => file is not null);
    }

    private static string WithoutDeleted(string path)
    {
        foreach (var mark in (string[])[" (deleted)", "\\040(deleted)"])
            if (path.EndsWith(mark, StringComparison.Ordinal)) return path[..^mark.Length];
        return path;
    }
}
