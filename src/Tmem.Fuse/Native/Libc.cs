using System.Runtime.InteropServices;
using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Native;

/// <summary>
/// The system calls whose error decides what the daemon does next. Tmds.LibC has most of them, but leaves the error in errno,
/// which a second call must read, and a garbage collection may come in between; here the error is taken in the same step (<see
/// cref="LastError"/>), and prctl, setenv and execv, which Tmds.LibC lacks, are here too. Where an error is only reported,
/// Tmds.LibC is used. The calls by which keeper and worker start and watch each other are in NativeProcess.
/// </summary>
internal static unsafe partial class Libc
{
    private const string Name = "libc";

    public const int O_RDWR = 2;
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;
    public const int O_PATH = 0x200000;
    public const int SEEK_END = 2;
    public const short POLLIN = 1;
    public const short POLLOUT = 4;
    public const short POLLERR = 8;
    public const short POLLHUP = 16;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_SHARED = 1;
    public const int MAP_PRIVATE = 2;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_POPULATE = 0x8000;
    public const int MADV_DONTDUMP = 16;
    public const int MCL_CURRENT = 1;
    public const int MCL_FUTURE = 2;
    public const int MCL_ONFAULT = 4;
    public const int PR_SET_IO_FLUSHER = 57;

    /// <summary>FUSE_DEV_IOC_CLONE.</summary>
    public const nuint FuseClone = 0x8004e500;

    public static Errno LastError => (Errno)Marshal.GetLastPInvokeError();

    /// <summary>The system's message for an error.</summary>
    public static string Describe(Errno error) => $"{Marshal.GetPInvokeErrorMessage((int)error)} ({error})";

    /// <summary>flock(2): LOCK_EX, LOCK_NB.</summary>
    public const int LOCK_EX = 2, LOCK_NB = 4;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int flock(int descriptor, int operation);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    /// <summary>The same with a C string, for callers that may not allocate.</summary>
    [LibraryImport(Name, SetLastError = true)]
    public static partial int open(byte* path, int flags);

    [LibraryImport(Name)]
    public static partial int close(int descriptor);

    [LibraryImport(Name)]
    public static partial int fchmod(int descriptor, uint mode);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int fchownat(int directory, string path, uint owner, uint group, int flags);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int fchmodat(int directory, string path, uint mode, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int setgroups(nuint count, uint* groups);

    [LibraryImport(Name)]
    public static partial int fsync(int descriptor);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint read(int descriptor, void* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint write(int descriptor, void* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int poll(PollDescriptor* descriptors, nuint count, int timeout);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int ioctl(int descriptor, nuint request, void* argument);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int umount2(string target, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial void* mmap(void* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport(Name, SetLastError = true)]
    public static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport(Name)]
    public static partial int munmap(void* address, nuint length);

    [LibraryImport(Name)]
    public static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int mlock(void* address, nuint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int mlockall(int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint readlink(string path, byte* buffer, nuint size);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int setenv(string name, string value, int overwrite);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int execv(string path, byte** arguments);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial byte* realpath(string path, byte* buffer);

    /// <summary>A path with all links resolved, as the kernel names it; null if it does not exist.</summary>
    public static string? RealPath(string path)
    {
        const int size = 4096;
        var buffer = stackalloc byte[size];
        return realpath(path, buffer) is null ? null : Marshal.PtrToStringUTF8((nint)buffer);
    }

    /// <summary>The same, escaped to be shown, if it is not UTF-8; null if it is, or there is none.</summary>
    public static string? UnshowableRealPath(string path)
    {
        const int size = 4096;
        var buffer = stackalloc byte[size];
        if (realpath(path, buffer) is null) return null;
        var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer);
        return System.Text.Unicode.Utf8.IsValid(bytes) ? null : SafeText.OfBytes(bytes);
    }

    /// <summary>
    /// The st_dev of what a link of /proc leads to, from what the kernel has cached: it sends no request to the file system, so
    /// this cannot wait for it, even for this process's own. False if it does not exist, or access is denied.
    /// </summary>
    public static bool TryDevice(string path, out uint major, out uint minor)
    {
        const int here = -100; // AT_FDCWD
        var found = FileStatus.Of(here, path, FileStatus.WithoutAsking | FileStatus.NoAutomount, 0, out var status) == 0;
        (major, minor) = found ? (status.DeviceMajor, status.DeviceMinor) : (0, 0);
        return found;
    }

    /// <summary>A symbolic link's target, without touching the target itself; null if it cannot be read.</summary>
    public static string? ReadLink(string path)
    {
        const int size = 4096;
        var buffer = stackalloc byte[size];
        var length = readlink(path, buffer, size);
        return length < 0 ? null : System.Text.Encoding.UTF8.GetString(buffer, (int)length);
    }
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollDescriptor
{
    public int Descriptor;
    public short Events;
    public short Returned;
}
