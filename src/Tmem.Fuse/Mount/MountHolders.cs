using System.Globalization;

namespace Tmem.Fuse.Mount;

/// <summary>Who keeps a mount busy, as far as /proc and /sys tell without touching the mount itself.</summary>
internal static class MountHolders
{
    /// <summary>At most <paramref name="limit"/> holders in words: "process 123 (bash)", "loop device /dev/loop0".</summary>
    public static IReadOnlyList<string> Find(string mountPoint, int limit = 5)
    {
        var found = new List<string>();
        foreach (var loop in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            var backing = Path.Combine(loop, "loop/backing_file");
            if (File.Exists(backing) && MountTable.IsBelow(TryReadText(backing), mountPoint))
                found.Add($"loop device /dev/{Path.GetFileName(loop)}");
        }
        foreach (var mount in MountTable.Read())
            if (mount.MountPoint != mountPoint && MountTable.IsBelow(mount.MountPoint, mountPoint)) found.Add($"a mount on {mount.MountPoint}");
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (found.Count >= limit) break;
            var number = Path.GetFileName(process);
            if (int.TryParse(number, CultureInfo.InvariantCulture, out _) && Holds(process, mountPoint))
                found.Add($"process {number} ({TryReadText(Path.Combine(process, "comm"))})");
        }
        return found.Count > limit ? found[..limit] : found;
    }

    private static bool Holds(string process, string mountPoint)
    {
        if (LinksBelow(Path.Combine(process, "cwd"), mountPoint) || LinksBelow(Path.Combine(process, "root"), mountPoint)
            || LinksBelow(Path.Combine(process, "exe"), mountPoint)) return true;
        try
        {
            return Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")).Any(link => LinksBelow(link, mountPoint));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone, or not ours to look into.
            return false;
        }
    }

    private static bool LinksBelow(string link, string mountPoint) => Libc.ReadLink(link) is { } target && MountTable.IsBelow(target, mountPoint);

    private static string TryReadText(string path)
    {
        try
        {
            return File.ReadAllText(path).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
