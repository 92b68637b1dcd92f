using System.Runtime.InteropServices;

namespace Tmem.Fuse.Keeper;

/// <summary>The file that the user names for a store, with a lock as long as any process has it open.</summary>
internal static partial class RegionFile
{
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int Create = 0x40;
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>Opens the region's file, empty if there is none, with its name durable, and locks it.</summary>
    /// <exception cref="StartupException">Says what is in the way and what to do.</exception>
    public static int Open(string path)
    {
        var descriptor = open(path, Libc.O_RDWR | Create | Libc.O_CLOEXEC, OwnerOnly);
        if (descriptor < 0)
            throw new StartupException($"Region file '{path}' cannot be opened: {Libc.Describe(Libc.LastError)}. Name a file that can be read and written.");
        if (flock(descriptor, LockExclusive | LockNonBlocking) != 0)
            throw new StartupException($"Region file '{path}' is in use by another process. Stop that one first, or name another file.");
        var directory = Libc.open(Path.GetDirectoryName(Path.GetFullPath(path))!, NativeProcess.O_RDONLY | Libc.O_CLOEXEC);
        _ = fsync(directory);
        _ = Libc.close(directory);
        return descriptor;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int descriptor, int operation);

    [LibraryImport("libc")]
    private static partial int fsync(int descriptor);
}
