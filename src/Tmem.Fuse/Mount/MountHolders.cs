using System.Globalization;
using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Mount;

/// <summary>
/// Who keeps a mount busy, as far as /proc and /sys tell without touching the mount itself. Found by the device's number, which
/// is the same in every mount namespace and whatever has been renamed; paths only serve for what the kernel gives no number of.
/// </summary>
internal static class MountHolders
{
    /// <summary>
    /// At most <paramref name="limit"/> holders in words: "process 123 (bash)", "the mount on /b", "loop device /dev/loop0".
    /// </summary>
    /// <param name="mountPoint">The mount.</param>
    /// <param name="connection">The minor number of its device.</param>
    /// <param name="limit">How many.</param>
    public static IReadOnlyList<string> Find(string mountPoint, int connection, int limit = 5)
    {
        var found = new List<string>();
        var views = new List<MountView>();
        var known = new HashSet<string> { Libc.ReadLink("/proc/self/ns/mnt") ?? "" };
        var own = new MountView("", MountTable.Read());
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out _)) continue;
            if (found.Count < limit && Holds(process, connection)) found.Add(NameOf(process));
            if (Libc.ReadLink(process + "/ns/mnt") is not { } space || !known.Add(space)) continue;
            if (TryMounts(process) is { } mounts) views.Add(new MountView(NameOf(process), mounts));
        }
        found.AddRange(MountCopies.Staying(mountPoint, connection, own, views));
        foreach (var mount in own.Entries)
        {
            if (mount.DeviceMinor == connection || mount.MountPoint == mountPoint) continue;
            if (MountTable.IsBelow(mount.MountPoint, mountPoint)) found.Add($"a mount on {mount.MountPoint}");
        }
        foreach (var loop in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            var file = TryReadText(Path.Combine(loop, "loop/backing_file"));
            if (MountTable.IsBelow(file, mountPoint)) found.Add($"loop device /dev/{Path.GetFileName(loop)}");
        }
        return found.Count > limit ? found[..limit] : found;
    }

    private static string NameOf(string process) => $"process {Path.GetFileName(process)} ({TryReadText(process + "/comm")})";

    private static bool Holds(string process, int connection)
    {
        foreach (var link in (string[])["/cwd", "/root", "/exe"])
            if (IsOn(process + link, connection)) return true;
        try
        {
            if (ProcessDescriptors.Of(process).Any(link => IsOn(link, connection))) return true;
            // "7f00-7f01 r--p 00000000 00:34 12  /path": a mapping outlives the descriptor it was made through.
            var device = string.Create(CultureInfo.InvariantCulture, $" 00:{connection:x2} ");
            return File.ReadLines(process + "/maps").Any(line => line.Contains(device, StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone, or not ours to look into.
            return false;
        }
    }

    private static bool IsOn(string link, int connection) =>
        Libc.TryDevice(link, out var major, out var minor) && major == 0 && minor == (uint)connection;

    private static IReadOnlyList<MountEntry>? TryMounts(string process)
    {
        try
        {
            return MountTable.Parse(File.ReadLines(process + "/mountinfo"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

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
