using System.Runtime.InteropServices;
using Tmem.Engine;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// What a store lies in: the file that the user names, with a lock that holds as long as any process of the daemon has it open, or a memfd.
/// </summary>
internal static unsafe partial class RegionFile
{
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int Create = 0x40;

    /// <summary>Opens it, empty or holding a region that this program can serve.</summary>
    /// <param name="path">The file; null for memory.</param>
    /// <param name="capacity">What the store is to hold.</param>
    /// <param name="isNew">True if there was nothing in it.</param>
    /// <exception cref="StartupException">Says what is in the way and what to do.</exception>
    public static int Open(string? path, long capacity, out bool isNew)
    {
        var descriptor = path is null ? NativeProcess.memfd_create("tmem-region", NativeProcess.MFD_CLOEXEC) : open(path, Libc.O_RDWR | Create | Libc.O_CLOEXEC, 0x180);
        if (descriptor < 0)
        {
            var error = Libc.LastError;
            throw new StartupException(path is null
                ? $"memfd_create failed: {Libc.Describe(error)}. Name a file with --region instead."
                : $"Region file '{path}' cannot be opened: {Libc.Describe(error)}. Name a file that can be read and written.");
        }
        if (path is not null && flock(descriptor, LockExclusive | LockNonBlocking) != 0)
            throw new StartupException($"Region file '{path}' is in use by another process. Stop that one first, or name another file.");
        try
        {
            isNew = !TmemEngine.HoldsRegion(Options(path, descriptor, capacity, lockMemory: false));
            return descriptor;
        }
        catch (RegionException e)
        {
            throw new StartupException(e.Message, e);
        }
    }

    /// <summary>How the engine is to open it.</summary>
    public static EngineOptions Options(string? path, int descriptor, long capacity, bool lockMemory) => new()
    {
        CapacityBytes = capacity,
        RegionPath = path,
        RegionDescriptor = descriptor,
        LockMemory = lockMemory,
    };

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int descriptor, int operation);
}
