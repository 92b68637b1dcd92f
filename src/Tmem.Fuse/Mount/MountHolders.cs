using System.Globalization;
using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Mount;

/// <summary>
/// The processes and devices that keep a mount busy, as far as /proc and /sys tell without touching the mount itself. Found by
/// the device's number, which is the same in every mount namespace and survives renames; paths serve only where the kernel gives
/// no number.
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
        foreach (var (loop, file) in Loops())
            if (MountTable.IsBelow(file, mountPoint)) found.Add($"loop device {loop}");
        return found.Count > limit ? found[..limit] : found;
    }

    /// <summary>
    /// The processes that have files below a folder of a mount open or mapped, with the file: "/mnt/p/f by process 123 (bash)",
    /// at most <paramref name="limit"/>. By the path that the kernel reports, so processes that see the mount elsewhere are
    /// missed.
    /// </summary>
    /// <param name="folder">Its path.</param>
    /// <param name="connection">The minor number of the mount's device.</param>
    /// <param name="limit">How many.</param>
    public static IReadOnlyList<string> FindBelow(string folder, int connection, int limit = 5)
    {
        var found = new List<string>();
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out _)) continue;
            found.AddRange(FilesOf(process, connection).Distinct().Where(file => MountTable.IsBelow(file, folder))
                .Select(file => $"{file} by {NameOf(process)}"));
        }
        foreach (var (loop, file) in Loops())
            if (MountTable.IsBelow(file, folder)) found.Add($"{file} by loop device {loop}");
        return found.Count > limit ? found[..limit] : found;
    }

    /// <summary>The files of a mount that a process has open or mapped, as the kernel names them.</summary>
    private static List<string> FilesOf(string process, int connection)
    {
        const int path = 5;
        var files = new List<string>();
        try
        {
            foreach (var link in ProcessDescriptors.Of(process))
                if (IsOn(link, connection) && Libc.ReadLink(link) is { } file) files.Add(file);
            var device = DeviceOf(connection);
            foreach (var line in File.ReadLines(process + "/maps"))
                if (line.Contains(device, StringComparison.Ordinal))
                    files.Add(MountTable.Unescape(line.Split(' ', path + 1, StringSplitOptions.RemoveEmptyEntries)[path].Trim()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone, or access is denied.
        }
        return files;
    }

    /// <summary>"7f00-7f01 r--p 00000000 00:34 12  /path": how a mapping names its device.</summary>
    private static string DeviceOf(int connection) => string.Create(CultureInfo.InvariantCulture, $" 00:{connection:x2} ");

    /// <summary>The attached loop devices, each with its file.</summary>
    private static IEnumerable<(string Device, string File)> Loops() =>
        from loop in Directory.EnumerateDirectories("/sys/block", "loop*")
        let file = KernelFile.TryRead(Path.Combine(loop, "loop/backing_file"))
        where file is not null
        select ($"/dev/{Path.GetFileName(loop)}", file);

    private static string NameOf(string process) =>
        $"process {Path.GetFileName(process)} ({KernelFile.TryRead(process + "/comm")})";

    private static bool Holds(string process, int connection)
    {
        foreach (var link in (string[])["/cwd", "/root", "/exe"])
            if (IsOn(process + link, connection)) return true;
        try
        {
            if (ProcessDescriptors.Of(process).Any(link => IsOn(link, connection))) return true;
            // A mapping outlives its descriptor.
            var device = DeviceOf(connection);
            return File.ReadLines(process + "/maps").Any(line => line.Contains(device, StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone, or access is denied.
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
}
