using System.Runtime.InteropServices;
using Tmem.Control.Host;

namespace Tmem.Ctl.Native;

/// <summary>Changes to the whole machine: swap areas and mounts.</summary>
internal static unsafe partial class Machine
{
    private const int Prefer = 0x8000, Discard = 0x10000; // SWAP_FLAG_PREFER, SWAP_FLAG_DISCARD
    private const int Forced = 1, Lazily = 2, NotThroughLinks = 8; // MNT_FORCE, MNT_DETACH, UMOUNT_NOFOLLOW

    /// <summary>Turns swap on, with discard of freed pages.</summary>
    public static Errno SwapOn(string path, int priority) => Errors.Of(swapon(path, Discard | Prefer | priority));

    public static Errno SwapOff(string path) => Errors.Of(swapoff(path));

    /// <param name="mountPoint">No link.</param>
    /// <param name="lazily">Detached now, and gone when the last file on it is closed.</param>
    /// <param name="forced">Its connection is aborted first.</param>
    public static Errno Unmount(string mountPoint, bool lazily, bool forced = false) =>
        Errors.Of(umount2(mountPoint, NotThroughLinks | (lazily ? Lazily : 0) | (forced ? Forced : 0)));

    /// <summary>Gives a mount other flags, of <see cref="MountFlags"/>.</summary>
    public static Errno Remount(string mountPoint, uint flags) =>
        Errors.Of(mount(null, mountPoint, null, flags | MountFlags.Remount, null));

    /// <summary>Sends a statfs to the file system on a path, and waits for the answer without a limit.</summary>
    public static Errno Ask(string path)
    {
        const int room = 256; // struct statfs has 120 bytes
        var buffer = stackalloc byte[room];
        return Errors.Of(statfs(path, buffer));
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int swapon(string path, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int swapoff(string path);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int mount(string? source, string target, string? type, nuint flags, string? data);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int umount2(string target, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int statfs(string path, void* buffer);
}
