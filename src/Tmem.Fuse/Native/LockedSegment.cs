using System.Globalization;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Native;

/// <summary>
/// Memory that no process has to lock, on kernels whose tmpfs cannot be told not to swap (before Linux 6.4): a System V segment.
/// SHM_LOCK keeps all its pages in memory, later ones and those mapped by other processes too, for as long as one process is
/// attached. Its file is opened through /proc/self/map_files, and is from then on a memory file like any other: it is given its
/// length, mapped, and holes are punched in it. Only its first page is attached.
/// </summary>
/// <remarks>
/// Locks of a mapping (mlock) hold only the pages that the process has touched, and fill the holes in the rest. A ramfs cannot
/// punch holes; memfd_secret is off unless the kernel is started with it.
/// </remarks>
internal static unsafe partial class LockedSegment
{
    public const int None = -1;
    private const int PageSize = 4096;
    private const int IPC_PRIVATE = 0;
    private const int IPC_CREAT = 0x200;
    private const int SHM_NORESERVE = 0x1000;
    private const int OwnerOnly = 0x180; // 0600
    private const int IPC_RMID = 0;
    private const int SHM_LOCK = 11;

    /// <summary>A new segment, attached to this process, and its file, closed on exec; -1 if the kernel refuses.</summary>
    public static int Create(out int segment)
    {
        segment = shmget(IPC_PRIVATE, PageSize, IPC_CREAT | SHM_NORESERVE | OwnerOnly);
        if (segment < 0) return -1;
        var address = shmat(segment, null, 0);
        // It is removed with the last attached process; until then Linux lets others attach.
        _ = shmctl(segment, IPC_RMID, null);
        if (address != -1)
        {
            var descriptor = Libc.open(string.Create(CultureInfo.InvariantCulture,
                $"/proc/self/map_files/{address:x}-{address + PageSize:x}"), Libc.O_RDWR | Libc.O_CLOEXEC);
            if (descriptor >= 0) return descriptor;
            _ = shmdt((void*)address);
        }
        segment = None;
        return -1;
    }

    /// <summary>
    /// Keeps all of it in memory. Its file must have its final length: the system accounts the locked memory by it, now and at
    /// the unlock.
    /// </summary>
    public static bool TryLock(int segment) => segment != None && shmctl(segment, SHM_LOCK, null) == 0;

    /// <summary>
    /// Makes this process hold it too, until the process ends. Call it before the process locks its mappings: attaching maps the
    /// whole file, whatever its length, and is only then cut down to the first page.
    /// </summary>
    /// <param name="segment">The segment, or <see cref="None"/>.</param>
    /// <param name="descriptor">Its file.</param>
    /// <returns>False if it is gone, because no process was attached for a moment: only locks hold its file now.</returns>
    public static bool Hold(int segment, int descriptor)
    {
        if (segment == None) return true;
        var address = shmat(segment, null, 0);
        var bytes = Libc.lseek(descriptor, 0, Libc.SEEK_END);
        if (address != -1 && bytes > PageSize)
            _ = Libc.munmap((void*)(address + PageSize), (nuint)((bytes + PageSize - 1) & -PageSize) - PageSize);
        return address != -1;
    }

    [LibraryImport("libc")]
    private static partial int shmget(int key, nuint size, int flags);

    [LibraryImport("libc")]
    private static partial nint shmat(int segment, void* address, int flags);

    [LibraryImport("libc")]
    private static partial int shmdt(void* address);

    [LibraryImport("libc")]
    private static partial int shmctl(int segment, int command, void* argument);
}
