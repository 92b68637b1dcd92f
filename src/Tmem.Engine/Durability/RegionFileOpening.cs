using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using Tmem.Engine.Native;
using Tmem.Engine.Region;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Durability;

/// <summary>
/// Opens a region's file, which holds stored data: created for its owner alone, never through a link that another user could have
/// put in its place, and refused if another user owns it or may change it. Opens its folder once, and the file in it once.
/// </summary>
internal static unsafe class RegionFileOpening
{
    private const uint OwnerOnly = 0x180;      // 0600
    private const uint OthersWrite = 0x12;     // 0022
    private const uint OthersDo = 0x3F;        // 0077

    /// <summary>An open descriptor, locked against other processes as long as any copy is open, its name durable.</summary>
    /// <param name="path">Its name; the file is created if there is none.</param>
    /// <param name="onlyReads">
    /// For a caller that writes nothing: the file must exist, may be any user's, and others may read it at the same time.
    /// </param>
    /// <exception cref="RegionException">States the obstacle and the remedy.</exception>
    public static int OpenLocked(string path, bool onlyReads = false)
    {
        var full = Path.GetFullPath(path);
        var folder = OpenFolder(full, path);
        try
        {
            var descriptor = Locked(Open(folder, Path.GetFileName(full), path, onlyReads), path, onlyReads);
            // A new file must be found again after a power cut. Not every file system can sync a folder, or needs to.
            if (!onlyReads) _ = fsync(folder);
            return descriptor;
        }
        finally
        {
            SystemCalls.Close(folder);
        }
    }

    /// <summary>
    /// As <see cref="OpenLocked"/>, a file that the caller has open, opened anew: neither its flags nor the lock are the
    /// caller's. The lock that .NET takes for a <see cref="FileShare"/> is given up, as it would be in this one's way.
    /// </summary>
    public static int ReopenLocked(SafeFileHandle handle, string path, bool onlyReads)
    {
        var held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            var link = Encoding.UTF8.GetBytes($"/proc/self/fd/{handle.DangerousGetHandle()}\0");
            var descriptor = SystemCalls.OpenAt(AT_FDCWD, link, (onlyReads ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
            if (descriptor < 0) throw CannotOpen(path, -descriptor, onlyReads);
            _ = NativeMethods.FileLock((int)handle.DangerousGetHandle(), NativeMethods.LockNothing);
            return Locked(descriptor, path, onlyReads);
        }
        finally
        {
            if (held) handle.DangerousRelease();
        }
    }

    /// <summary>
    /// The descriptor, if it is fit for a region's file and no other process has locked it; otherwise it is closed.
    /// </summary>
    private static int Locked(int descriptor, string path, bool onlyReads)
    {
        try
        {
            if (!onlyReads) Check(descriptor, path);
            var kind = onlyReads ? NativeMethods.LockShared : NativeMethods.LockExclusive;
            return NativeMethods.FileLock(descriptor, kind | NativeMethods.LockNonBlocking) == 0 ? descriptor
                : throw new RegionException(
                    $"region file '{path}' is in use by another process; stop that one first or name another file");
        }
        catch
        {
            SystemCalls.Close(descriptor);
            throw;
        }
    }

    private static int OpenFolder(string full, string path)
    {
        var folder = SystemCalls.OpenAt(AT_FDCWD, Encoding.UTF8.GetBytes((Path.GetDirectoryName(full) ?? "/") + "\0"),
            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return folder >= 0 ? folder : throw new RegionException(
            $"cannot open the folder of region file '{path}': {FileFacts.Describe(-folder)}; make it first");
    }

    private static int Open(int folder, string name, string path, bool onlyReads)
    {
        // Non-blocking: opening a pipe of that name must not wait; it is then refused as a pipe.
        var flags = (onlyReads ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NONBLOCK;
        var bytes = Encoding.UTF8.GetBytes(name + "\0");
        var descriptor = SystemCalls.OpenAt(folder, bytes, flags | O_NOFOLLOW, OwnerOnly);
        if (descriptor == -ELOOP)
        {
            // A link is as good as the file if no other user could have made it.
            if (!onlyReads && !IsOurs(folder))
                throw new RegionException(
                    $"region file '{path}' is a symbolic link in a folder that other users may write; name the file itself");
            descriptor = SystemCalls.OpenAt(folder, bytes, flags, OwnerOnly);
        }
        return descriptor >= 0 ? descriptor : throw CannotOpen(path, -descriptor, onlyReads);
    }

    private static RegionException CannotOpen(string path, int error, bool onlyReads) =>
        new($"cannot open region file '{path}': {FileFacts.Describe(error)}; name a file that can be "
            + $"{(onlyReads ? "read" : "read and written")}");

    private static bool IsOurs(int folder)
    {
        stat facts;
        return SystemCalls.Stat(folder, &facts) == 0 && IsOurs((uint)facts.st_uid) && ((uint)facts.st_mode & OthersWrite) == 0;
    }

    private static bool IsOurs(uint owner) => owner == 0 || owner == (uint)geteuid();

    private static void Check(int descriptor, string path)
    {
        stat facts;
        if (SystemCalls.Stat(descriptor, &facts) is var error and not 0)
            throw new RegionException($"cannot stat region file '{path}': {FileFacts.Describe(error)}");
        if (!IsOurs((uint)facts.st_uid))
            throw new RegionException(
                $"region file '{path}' belongs to user {(uint)facts.st_uid}, who could change the store; chown it to the user "
                + "who starts this, or name another file");
        if (((uint)facts.st_mode & OthersWrite) != 0)
            throw new RegionException(
                $"region file '{path}' may be written by other users; take that from them (chmod 0600)");
        // Whoever can read the file can read what was swapped out: only its owner may.
        if (((uint)facts.st_mode & OthersDo) != 0) _ = fchmod(descriptor, (mode_t)OwnerOnly);
    }
}
