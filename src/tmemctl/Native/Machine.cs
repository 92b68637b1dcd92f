using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>Changes to the whole machine: swap areas and mounts.</summary>
internal static unsafe partial class Machine
{
    private const int Prefer = 0x8000, Discard = 0x10000; // SWAP_FLAG_PREFER, SWAP_FLAG_DISCARD
    private const int Lazily = 2, NotThroughLinks = 8; // MNT_DETACH, UMOUNT_NOFOLLOW

    /// <summary>Turns swap on, with discard of freed pages.</summary>
    public static Errno SwapOn(string path, int priority) => Errors.Of(swapon(path, Discard | Prefer | priority));

    public static Errno SwapOff(string path) => Errors.Of(swapoff(path));

    /// <param name="mountPoint">No link.</param>
    /// <param name="lazily">Detached now, and gone when the last file on it is closed.</param>
    public static Errno Unmount(string mountPoint, bool lazily) =>
        Errors.Of(umount2(mountPoint, NotThroughLinks | (lazily ? Lazily : 0)));

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
    private static partial int umount2(string target, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int statfs(string path, void* buffer);
}
