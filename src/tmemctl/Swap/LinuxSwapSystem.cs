using System.Globalization;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Swap;

/// <summary>The kernel this runs on.</summary>
internal sealed class LinuxSwapSystem : ISwapSystem
{
    /// <inheritdoc/>
    public string? OpenPool(in MountPlace mount, string pool, out IPoolFolder? folder)
    {
        folder = null;
        var root = OpenMount(mount);
        if (root < 0)
            return $"{mount.Path} cannot be seen from here; run this in the mount namespace of tmemd (nsenter --mount "
                + $"--target {mount.Process})";
        // No link: whoever may make one beside a pool could lead us anywhere.
        var error = Files.OpenAt(root, pool, Files.DirectoryOnly | Files.NoFollow, out var descriptor);
        Files.Close(root);
        return error == Errno.Ok ? PoolFolder.Take(descriptor, out folder) : $"open pool '{pool}': {error.Problem()}";
    }

    /// <inheritdoc/>
    public string? DetachLoop(string device) => LoopDevice.Detach(device);

    /// <inheritdoc/>
    public string? SwapOff(string device)
    {
        var error = Machine.SwapOff(device);
        // EINVAL says "not a swap device": off already, if /proc/swaps agrees.
        return error == Errno.EINVAL && Swaps().All(entry => entry.Device != device) ? null : error.Problem();
    }

    /// <inheritdoc/>
    public IReadOnlyList<LoopBacking> Loops() => LoopDevice.All();

    /// <inheritdoc/>
    public IReadOnlyList<SwapEntry> Swaps() => ParseSwaps(File.ReadAllText("/proc/swaps"));

    /// <inheritdoc/>
    public MemoryRoom Memory() => MemoryRoom.Read();

    /// <summary>
    /// Reads /proc/swaps: a heading, then "name type size used priority", sizes in KiB. Lines it does not understand are passed
    /// over.
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
                entries.Add(new SwapEntry(fields[0], size * 1024, used * 1024, priority));
        }
        return entries;
    }

    /// <summary>
    /// The mount's top directory, seen from here or else from where the daemon is; -1 if neither leads to a mount with its
    /// device.
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
