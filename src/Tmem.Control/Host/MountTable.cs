using System.Globalization;
using System.Text;

namespace Tmem.Control.Host;

/// <summary>A line of /proc/self/mountinfo.</summary>
/// <param name="MountPoint">Absolute path.</param>
/// <param name="FileSystemType">For us "fuse.tmem".</param>
/// <param name="DeviceMinor">Minor number of st_dev: for a FUSE mount its connection's number under
/// /sys/fs/fuse/connections.</param>
/// <param name="Root">The directory of the file system that is mounted there: "/" for all of it.</param>
/// <param name="Options">The file system's own, separated by commas.</param>
/// <param name="DeviceMajor">Major number of st_dev: 0 unless the file system is on a block device.</param>
/// <param name="Id">The mount's number.</param>
/// <param name="Parent">The number of the mount below it.</param>
/// <param name="Shared">The peer group whose mounts and unmounts it shares; 0: none.</param>
/// <param name="Master">The peer group whose mounts and unmounts it receives; 0: none.</param>
/// <param name="Flags">The mount's own, of <see cref="MountFlags"/>.</param>
/// <param name="Source">What is mounted there, as it was called.</param>
internal readonly record struct MountEntry(string MountPoint, string FileSystemType, int DeviceMinor, string Root = "/",
    string Options = "",
    int DeviceMajor = 0, int Id = 0, int Parent = 0, int Shared = 0, int Master = 0, uint Flags = 0, string Source = "");

/// <summary>
/// The mounts, from the kernel's own list: stat(2) on a mount whose daemon hangs would hang too. Format: proc(5),
/// /proc/[pid]/mountinfo; blanks and the like in paths are octal escapes.
/// </summary>
internal static class MountTable
{
    public static IReadOnlyList<MountEntry> Read() => Parse(File.ReadLines("/proc/self/mountinfo"));

    public static IReadOnlyList<MountEntry> Parse(IEnumerable<string> lines)
    {
        var entries = new List<MountEntry>();
        foreach (var line in lines)
        {
            var fields = line.Split(' ');
            var separator = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
            if (separator < 0 || separator + 1 >= fields.Length) continue;
            var device = fields[2].Split(':');
            if (device.Length != 2 || !int.TryParse(device[0], CultureInfo.InvariantCulture, out var major)
                || !int.TryParse(device[1], CultureInfo.InvariantCulture, out var minor)) continue;
            var tags = fields.AsSpan(6, separator - 6);
            entries.Add(new MountEntry(Unescape(fields[4]), fields[separator + 1], minor, Unescape(fields[3]),
                fields.ElementAtOrDefault(separator + 3) ?? "",
                major, Number(fields[0]), Number(fields[1]), Tag(tags, "shared:"), Tag(tags, "master:"),
                MountFlags.Of(fields[5]), Unescape(fields.ElementAtOrDefault(separator + 2) ?? "")));
        }
        return entries;
    }

    /// <summary>The topmost mount exactly at a path, if there is one.</summary>
    public static MountEntry? At(string path, IReadOnlyList<MountEntry> entries)
    {
        // Later lines are mounted on top of earlier ones.
        for (var i = entries.Count - 1; i >= 0; i--)
            if (entries[i].MountPoint == path) return entries[i];
        return null;
    }

    /// <summary>Whether a path is the mount point or below it.</summary>
    public static bool IsBelow(string path, string mountPoint) =>
        path == mountPoint
            || (path.StartsWith(mountPoint, StringComparison.Ordinal) && (mountPoint == "/" || path[mountPoint.Length] == '/'));

    /// <summary>Undoes the octal escapes (\040 for a blank) of the files in /proc.</summary>
    public static string Unescape(string text)
    {
        if (!text.Contains('\\')) return text;
        var bytes = new List<byte>(text.Length);
        var source = Encoding.UTF8.GetBytes(text);
        for (var i = 0; i < source.Length; i++)
        {
            if (source[i] == '\\' && i + 3 < source.Length && IsOctal(source[i + 1]) && IsOctal(source[i + 2])
                && IsOctal(source[i + 3]))
            {
                bytes.Add((byte)(((source[i + 1] - '0') << 6) | ((source[i + 2] - '0') << 3) | (source[i + 3] - '0')));
                i += 3;
            }
            else bytes.Add(source[i]);
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static int Number(string text) => int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static int Tag(ReadOnlySpan<string> tags, string name)
    {
        foreach (var tag in tags)
            if (tag.StartsWith(name, StringComparison.Ordinal)) return Number(tag[name.Length..]);
        return 0;
    }

    private static bool IsOctal(byte digit) => digit is >= (byte)'0' and <= (byte)'7';
}
