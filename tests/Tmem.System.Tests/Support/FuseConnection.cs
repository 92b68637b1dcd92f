namespace Tmem.System.Tests.Support;

/// <summary>The kernel's handle on a FUSE mount, the last resort when its daemon is stuck.</summary>
internal static class FuseConnection
{
    private const string Folder = "/sys/fs/fuse/connections";

    /// <summary>The connection's number: the minor device number of the mount, read without touching the mount itself.</summary>
    public static string? Of(string mount) => File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' '))
        .Where(f => f[4] == mount).Select(f => f[2].Split(':')[1]).LastOrDefault();

    /// <summary>Makes every pending and later request on the mount fail.</summary>
    public static void Abort(string connection)
    {
        var mounted = !MachineState.IsMounted(Folder) && Command.Run("mount", "-t", "fusectl", "fusectl", Folder).Code == 0;
        var file = Path.Combine(Folder, connection, "abort");
        if (File.Exists(file)) File.WriteAllText(file, "1");
        if (mounted) Command.Run("umount", Folder);
    }
}
