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
    /// At most <paramref name="limit"/> holders in words: "process 123 (bash)", "the mount on /b", "loop device /dev/loop0"; and
    /// the processes whose mappings could not be seen. One that maps a file of the mount keeps it open, which shows in the count
    /// of open files.
    /// </summary>
    /// <param name="mountPoint">The mount.</param>
    /// <param name="connection">The minor number of its device.</param>
    /// <param name="limit">How many.</param>
    public static ProcessFindings<string> Find(string mountPoint, int connection, int limit = 5)
    {
        var known = new HashSet<string> { Libc.ReadLink("/proc/self/ns/mnt") ?? "" };
        var own = new MountView("", MountTable.Read());
        var (seen, silent) = ProcessSearch.Everywhere<Sight>((process, add) =>
        {
            var holds = HasOpen(process, connection);
            if (holds) add(new(ProcessSearch.NameOf(process), View: null));
            if (Libc.ReadLink(process + "/ns/mnt") is { } space && IsNew(space))
                add(new(Holder: null,
                    new MountView(ProcessSearch.NameOf(process), MountTable.Parse(File.ReadLines(process + "/mountinfo")))));
            // A mapping outlives its descriptor.
            if (!holds && Mapped(process, connection).Any()) add(new(ProcessSearch.NameOf(process), View: null));
        });
        List<string> found = [.. seen.Select(one => one.Holder).OfType<string>()];
        found.AddRange(MountCopies.Staying(mountPoint, connection, own, [.. seen.Select(one => one.View).OfType<MountView>()]));
        foreach (var mount in own.Entries)
        {
            if (mount.DeviceMinor == connection || mount.MountPoint == mountPoint) continue;
            if (MountTable.IsBelow(mount.MountPoint, mountPoint)) found.Add($"a mount on {mount.MountPoint}");
        }
        foreach (var (loop, file) in Loops())
            if (MountTable.IsBelow(file, mountPoint)) found.Add($"loop device {loop}");
        return new(found.Count > limit ? found[..limit] : found, silent);

        bool IsNew(string space)
        {
            lock (known) return known.Add(space);
        }
    }

    /// <summary>
    /// The processes that have files below a folder of a mount open or mapped, with the file: "/mnt/p/f by process 123 (bash)",
    /// at most <paramref name="limit"/>; and those whose mappings could not be seen. By the path that the kernel reports, so
    /// processes that see the mount elsewhere are missed.
    /// </summary>
    /// <param name="folder">Its path.</param>
    /// <param name="connection">The minor number of the mount's device.</param>
    /// <param name="limit">How many.</param>
    public static ProcessFindings<string> FindBelow(string folder, int connection, int limit = 5)
    {
        var (seen, silent) = ProcessSearch.Everywhere<string>((process, add) =>
        {
            var files = new HashSet<string>();
            foreach (var file in Opened(process, connection)) Add(file);
            foreach (var file in Mapped(process, connection)) Add(file);

            void Add(string file)
            {
                if (MountTable.IsBelow(file, folder) && files.Add(file)) add($"{file} by {ProcessSearch.NameOf(process)}");
            }
        });
        List<string> found = [.. seen];
        foreach (var (loop, file) in Loops())
            if (MountTable.IsBelow(file, folder)) found.Add($"{file} by loop device {loop}");
        return new(found.Count > limit ? found[..limit] : found, silent);
    }

    /// <summary>The files of a mount that a process has open, as the kernel names them.</summary>
    private static IEnumerable<string> Opened(string process, int connection) =>
        from link in ProcessDescriptors.Of(process)
        where IsOn(link, connection)
        let file = Libc.ReadLink(link)
        where file is not null
        select file;

    /// <summary>Those that it has mapped. This waits for a process that hangs in the kernel with its memory locked.</summary>
    private static IEnumerable<string> Mapped(string process, int connection)
    {
        const int path = 5;
        var device = DeviceOf(connection);
        return from line in File.ReadLines(process + "/maps")
            where line.Contains(device, StringComparison.Ordinal)
            select MountTable.Unescape(line.Split(' ', path + 1, StringSplitOptions.RemoveEmptyEntries)[path].Trim());
    }

    /// <summary>"7f00-7f01 r--p 00000000 00:34 12  /path": how a mapping names its device.</summary>
    private static string DeviceOf(int connection) => string.Create(CultureInfo.InvariantCulture, $" 00:{connection:x2} ");

    /// <summary>The attached loop devices, each with its file.</summary>
    private static IEnumerable<(string Device, string File)> Loops() =>
        from loop in Directory.EnumerateDirectories("/sys/block", "loop*")
        let file = KernelFile.TryRead(Path.Combine(loop, "loop/backing_file"))
        where file is not null
        select ($"/dev/{Path.GetFileName(loop)}", file);

    private static bool HasOpen(string process, int connection)
    {
        foreach (var link in (string[])["/cwd", "/root", "/exe"])
            if (IsOn(process + link, connection)) return true;
        return ProcessDescriptors.Of(process).Any(link => IsOn(link, connection));
    }

    private static bool IsOn(string link, int connection) =>
        Libc.TryDevice(link, out var major, out var minor) && major == 0 && minor == (uint)connection;

    /// <summary>What a look at a process has found: it holds the mount, or it lives in another mount namespace.</summary>
    private readonly record struct Sight(string? Holder, MountView? View);
}
