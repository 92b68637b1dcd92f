using System.Globalization;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Swap;

/// <summary>The real kernel.</summary>
internal sealed class LinuxSwapSystem : ISwapSystem
{
    /// <inheritdoc/>
    public string? OpenPool(in MountPlace mount, string pool, out IPoolFolder? folder)
    {
        folder = null;
        var root = OpenMount(mount);
        if (root < 0) return Unseen(mount.Path, mount.Connection, mount.Process);
        // Not through a link: a user who may make one beside a pool could lead us anywhere.
        var error = Files.OpenAt(root, pool, Files.DirectoryOnly | Files.NoFollow, out var descriptor);
        Files.Close(root);
        return error == Errno.Ok ? PoolFolder.Take(descriptor, out folder) : $"open pool '{pool}': {error.Problem()}";
    }

    /// <inheritdoc/>
    public string? Lock(in MountPlace mount, out IDisposable? held)
    {
        held = null;
        var root = OpenMount(mount);
        if (root < 0) return null;
        // On the directory itself: the same for all who see the mount, whatever they call it, and gone with its holder.
        var error = Files.OpenAt(root, ".", Files.DirectoryOnly, out var descriptor);
        Files.Close(root);
        if (error == Errno.Ok && (error = Files.Lock(descriptor)) != Errno.Ok) Files.Close(descriptor);
        if (error == Errno.Ok) held = new HeldDescriptor(descriptor);
        return error == Errno.EAGAIN ? "another process is turning swap on or off" : error.Problem();
    }

    private sealed class HeldDescriptor(int descriptor) : IDisposable
    {
        public void Dispose() => Files.Close(descriptor);
    }

    /// <inheritdoc/>
    public string? DetachLoop(string device) => LoopDevice.Detach(device);

    /// <inheritdoc/>
    public string? SwapOff(string device)
    {
        var error = Machine.SwapOff(device);
        // EINVAL means "not a swap device": off already, if /proc/swaps agrees.
        return error == Errno.EINVAL && Swaps().All(entry => entry.Device != device) ? null : error.Problem();
    }

    /// <inheritdoc/>
    public string? SwapOn(string device, int priority) => Machine.SwapOn(device, priority).Problem();

    /// <inheritdoc/>
    public IReadOnlyList<LoopBacking> Loops() => LoopDevice.All();

    /// <inheritdoc/>
    public IReadOnlyList<SwapEntry> Swaps() => ParseSwaps(File.ReadAllText("/proc/swaps"));

    /// <inheritdoc/>
    public MemoryRoom Memory(int daemon) => MemoryRoom.Read(daemon);

    /// <summary>
    /// Reads /proc/swaps: a heading, then "name type size used priority", sizes in KiB. Lines it does not understand are passed
    /// over. The name is the device's path in the mount namespace that swap was turned on in: once that is gone, "/loop0". A loop
    /// device has its number for a name everywhere, and is called by that.
    /// </summary>
    public static IReadOnlyList<SwapEntry> ParseSwaps(string text)
    {
        var entries = new List<SwapEntry>();
        foreach (var line in text.Split('\n').Skip(1))
        {
            var fields = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 5 && long.TryParse(fields[^3], CultureInfo.InvariantCulture, out var size) &&
                long.TryParse(fields[^2], CultureInfo.InvariantCulture, out var used)
                    && int.TryParse(fields[^1], CultureInfo.InvariantCulture, out var priority))
                entries.Add(new SwapEntry(NameOf(fields[0], fields[^4]), size * 1024, used * 1024, priority));
        }
        return entries;
    }

    private static string NameOf(string path, string type)
    {
        const string deleted = "\\040(deleted)", loop = "loop";
        var name = path.EndsWith(deleted, StringComparison.Ordinal) ? path[..^deleted.Length] : path;
        var node = Path.GetFileName(name);
        // A mapped device has a name that somebody chose.
        return type == "partition" && Path.GetFileName(Path.GetDirectoryName(name)) != "mapper"
            && node.StartsWith(loop, StringComparison.Ordinal)
            && int.TryParse(node[loop.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out _) ? "/dev/" + node : path;
    }

    private static string Unseen(string path, int connection, int process)
    {
        var mounts = MountTable.Read();
        return mounts.Any(entry => entry.MountPoint == path && entry.DeviceMinor == connection)
            && MountTable.At(path, mounts) is { } top && top.DeviceMinor != connection
            ? $"a {top.FileSystemType} file system is mounted over {path}; unmount that first"
            : $"{path} cannot be seen from here; run this in the mount namespace of tmemd (nsenter --mount --target {process})";
    }

    /// <summary>
    /// The mount's top directory, seen from here or else from the daemon's namespace; -1 if neither path leads to a mount with
    /// its device.
    /// </summary>
    private static int OpenMount(in MountPlace mount)
    {
        foreach (var path in (string[])[mount.Path, $"/proc/{mount.Process}/root{mount.Path}"])
        {
            if (Files.Open(path, Files.PathOnly | Files.DirectoryOnly, out var descriptor) != Errno.Ok) continue;
            if (FileStatus.Of(descriptor, "", FileStatus.OfDescriptor | FileStatus.WithoutAsking, 0, out var status) == 0
                && status.Identity.IsOn(mount.Connection)) return descriptor;
            Files.Close(descriptor);
        }
        return -1;
    }
}
