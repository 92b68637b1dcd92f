using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Mount;

/// <summary>
/// A tmem file system in the mount table: made with mount(2) and the device's descriptor, without a helper program.
/// </summary>
internal sealed class FuseMount
{
    public const string FileSystemType = "fuse.tmem";

    private FuseMount(string mountPoint, int connection)
    {
        MountPoint = mountPoint;
        Connection = connection;
    }

    /// <summary>Absolute path, links resolved.</summary>
    public string MountPoint { get; }

    /// <summary>The directory under /sys/fs/fuse/connections that belongs to this mount; -1 if unknown.</summary>
    public int Connection { get; }

    /// <summary>Mounts. The kernel then sends INIT, which waits until a process reads from the device.</summary>
    /// <exception cref="StartupException">The message names the obstacle and the remedy.</exception>
    public static FuseMount Create(FuseDevice device, MountWish wish, ControlCommand tmemctl)
    {
        var (target, descriptor) = OpenMountPoint(wish.Directory, tmemctl);
        var data = $"fd={device.Descriptor},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
        // The directory that was checked, and not what its name leads to by now.
        var mounted = Libc.mount(wish.Source, $"/proc/self/fd/{descriptor}", FileSystemType, wish.Flags, data);
        var error = mounted == 0 ? Errno.Ok : Libc.LastError;
        _ = Libc.close(descriptor);
        if (error != Errno.Ok)
        {
            throw new StartupException(error switch
            {
                Errno.EPERM or Errno.EACCES =>
                    $"{target} cannot be mounted on: {Libc.Describe(error)}. mount(2) needs CAP_SYS_ADMIN: run tmemd as root "
                    + "(sudo).",
                Errno.ENODEV => "This kernel has no FUSE. Load the module with `modprobe fuse`.",
                Errno.EBUSY => $"{target} is busy. Choose another directory.",
                _ => $"{target} cannot be mounted on: {Libc.Describe(error)}.",
            });
        }
        return new FuseMount(target, MountTable.At(target, MountTable.Read())?.DeviceMinor ?? -1);
    }

    /// <summary>A mount that another process made.</summary>
    public static FuseMount Adopt(string mountPoint, int connection) => new(mountPoint, connection);

    /// <summary>Unmounts the file system. EBUSY while it is in use; never lazily, because swap could still be on it.</summary>
    public Errno Unmount() => Libc.umount2(MountPoint, 0) == 0 ? Errno.Ok : Libc.LastError;

    /// <summary>
    /// Checks that a directory can be mounted on, and opens it; returns its path as the kernel will name it, with all links
    /// resolved: the mount table, the swap table and the files of loop devices are compared with it. A link that another user
    /// could turn elsewhere is not followed.
    /// </summary>
    /// <exception cref="StartupException">The message names the obstacle and the remedy.</exception>
    private static (string Path, int Descriptor) OpenMountPoint(string directory, ControlCommand tmemctl)
    {
        if (directory.Length == 0)
            throw new StartupException("The mount point is empty. Name a directory, as in --mount /mnt/tmem.");
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        RefuseMounted(path, tmemctl); // Before it is looked at: one whose daemon is gone cannot be.
        // By way of a link, or of the working directory: whoever types such a name is told before.
        if (Libc.UnshowableRealPath(directory) is { } unshowable)
            throw new StartupException($"The mount point is '{unshowable}', and names of mount points are UTF-8. Rename that "
                + "directory, or choose another one.");
        if (File.Exists(path)) throw new StartupException($"{path} is not a directory. Choose a directory as mount point.");
        if (!Directory.Exists(path))
            throw new StartupException($"{path} does not exist. Make it first: mkdir -p {ShellWord.Of(path)}");
        RefuseMounted(Libc.RealPath(path) ?? path, tmemctl);
        var opened = TrustedPath.Open(path, new PathWish { Flags = Libc.O_PATH, IsDirectory = true });
        if (!opened.IsOpen) throw new StartupException($"The mount point cannot be used: {opened.Problem}.");
        return (Libc.ReadLink($"/proc/self/fd/{opened.Descriptor}") ?? path, opened.Descriptor);
    }

    private static void RefuseMounted(string path, ControlCommand tmemctl)
    {
        if (MountTable.At(path, MountTable.Read()) is not { } mounted) return;
        throw new StartupException(mounted.FileSystemType == FileSystemType
            // Not through this socket: no daemon answers on it.
            ? $"{path} is already a tmem mount. Stop the tmemd that serves it, through its own socket; if none is left, run: "
                + tmemctl.Line("recover --mount", path)
            : $"{path} is busy: a {mounted.FileSystemType} file system is mounted on it. Unmount that, or choose another "
                + "directory.");
    }
}
