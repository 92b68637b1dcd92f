using Tmem.Control.Host;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// A mount point as the kernel's table has it: without links, and without "." and "..". readlink(2) asks no file system about a
/// directory that it is mounted on, and nothing below a tmem mount is looked at: one that hangs holds nobody up.
/// </summary>
internal static class MountPath
{
    /// <summary>As many as the kernel follows.</summary>
    private const int MostLinks = 40;

    private const char NotUtf8 = '\uFFFD';

    /// <summary>The path without links; as far as there is something, and the rest as it was given.</summary>
    public static string Of(string path) => Of(path, MountTable.Read());

    /// <summary>The same with a given mount table.</summary>
    public static string Of(string path, IReadOnlyList<MountEntry> mounts)
    {
        var (place, links, rest) = ("/", 0, new Stack<string>());
        Push(rest, Path.IsPathRooted(path) ? path : Path.Combine(Environment.CurrentDirectory, path));
        while (rest.TryPop(out var name))
        {
            var next = name == ".." ? Path.GetDirectoryName(place) ?? "/" : Path.Combine(place, name);
            if (name == ".." || IsOurs(next, mounts) || new FileInfo(next).LinkTarget is not { Length: > 0 } target) place = next;
            // Bytes that are not UTF-8 are lost in a text: whoever opens the path as it was given can name them.
            else if (++links > MostLinks || target.Contains(NotUtf8)) return Path.GetFullPath(path);
            else
            {
                if (Path.IsPathRooted(target)) place = "/";
                Push(rest, target);
            }
        }
        return place;
    }

    private static void Push(Stack<string> rest, string path)
    {
        foreach (var name in path.Split('/').Reverse())
            if (name is not ("" or ".")) rest.Push(name);
    }

    private static bool IsOurs(string path, IReadOnlyList<MountEntry> mounts) => mounts.Any(mount =>
        mount.FileSystemType == MountHelper.FileSystemType && MountTable.IsBelow(path, mount.MountPoint));
}
