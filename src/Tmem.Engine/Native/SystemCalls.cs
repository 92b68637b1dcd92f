using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Tmem.Engine.Native;

/// <summary>
/// The engine's system calls on memory and descriptors. Each returns the errno of its own call, which the stub reads at once. A
/// second call to read it, as in Tmds.LibC, may return another call's: between two of our calls the runtime makes its own (a
/// collection, a symbol look-up), and a misread EINVAL would disable a feature for good.
/// </summary>
internal static unsafe partial class SystemCalls
{
    private static int s_vainCloses;

    /// <summary>
    /// Closes of descriptors that were not open: a bug, which closes another owner's file if the number has been reused. For
    /// tests.
    /// </summary>
    internal static int VainCloses => Volatile.Read(ref s_vainCloses);

    /// <summary>Closes a descriptor; only tests look at the result.</summary>
    public static void Close(int descriptor)
    {
        if (CloseCall(descriptor) != 0 && Marshal.GetLastPInvokeError() == LibC.EBADF) Interlocked.Increment(ref s_vainCloses);
    }

    /// <summary>0, or an errno.</summary>
    public static int Stat(int descriptor, stat* buffer) => Errno(FStat(descriptor, buffer));

    /// <summary>0, or an errno. Follows links. The path, UTF-8, ends with a zero byte.</summary>
    public static int Stat(ReadOnlySpan<byte> path, stat* buffer)
    {
        fixed (byte* text = path) return Errno(StatCall(text, buffer));
    }

    /// <summary>Bytes of a link's target, not ended by a zero, or minus an errno.</summary>
    public static int ReadLink(ReadOnlySpan<byte> path, Span<byte> target)
    {
        fixed (byte* text = path, into = target) return (int)ValueOrErrno(ReadLinkCall(text, into, (nuint)target.Length));
    }

    /// <summary>The new offset, or minus an errno.</summary>
    public static long Seek(int descriptor, long offset, int whence) => ValueOrErrno((nint)LSeek(descriptor, offset, whence));

    /// <summary>0, or an errno.</summary>
    public static int SetLength(int descriptor, long length) =>
        FileSizeLimit.Allows(length) ? Errno(FTruncate(descriptor, length)) : LibC.EFBIG;

    /// <summary>Bytes read, or minus an errno.</summary>
    public static long ReadAt(int descriptor, void* into, long length, long offset) =>
        ValueOrErrno(PRead(descriptor, into, (nuint)length, offset));

    /// <summary>Bytes written, or minus an errno.</summary>
    public static long WriteAt(int descriptor, void* from, long length, long offset) =>
        FileSizeLimit.Allows(offset + length) ? ValueOrErrno(PWrite(descriptor, from, (nuint)length, offset)) : -LibC.EFBIG;

    /// <summary>0, or an errno.</summary>
    public static int SyncData(int descriptor) => Errno(FDataSync(descriptor));

    /// <summary>A descriptor, or minus an errno. The name, UTF-8, ends with a zero byte.</summary>
    public static int OpenAt(int folder, ReadOnlySpan<byte> name, int flags, uint mode = 0)
    {
        fixed (byte* text = name) return (int)ValueOrErrno(OpenAtCall(folder, text, flags, mode));
    }

    /// <summary>0, or an errno.</summary>
    public static int Allocate(int descriptor, int mode, long offset, long length) =>
        Errno(FAllocate(descriptor, mode, offset, length));

    /// <summary>A descriptor, or minus an errno.</summary>
    public static int CreateMemory(ReadOnlySpan<byte> name, uint flags)
    {
        fixed (byte* text = name) return (int)ValueOrErrno(MemFdCreate(text, flags));
    }

    /// <summary>Maps memory; null with an errno.</summary>
    public static void* Map(void* at, long length, int protection, int flags, int descriptor, out int error)
    {
        var start = MMap(at, (nuint)length, protection, flags, descriptor, 0);
        error = start == (void*)-1 ? Marshal.GetLastPInvokeError() : 0;
        return error == 0 ? start : null;
    }

    /// <summary>0, or an errno.</summary>
    public static int Unmap(void* start, long length) => Errno(MUnmap(start, (nuint)length));

    /// <summary>0, or an errno.</summary>
    public static int Advise(void* start, long length, int advice) => Errno(MAdvise(start, (nuint)length, advice));

    /// <summary>0, or an errno.</summary>
    public static int Lock(void* start, long length, int flags) => Errno(MLock2(start, (nuint)length, flags));

    /// <summary>0, or an errno.</summary>
    public static int Unlock(void* start, long length) => Errno(MUnlock(start, (nuint)length));

    /// <summary>Processor time of the calling thread, in nanoseconds.</summary>
    public static long ThreadTime()
    {
        const int threadClock = 3;
        var now = stackalloc long[2];
        return GetTime(threadClock, now) == 0 ? now[0] * 1_000_000_000 + now[1] : 0;
    }

    private static int Errno(int result) => result == 0 ? 0 : Marshal.GetLastPInvokeError();

    private static long ValueOrErrno(nint result) => result >= 0 ? result : -Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, long* seconds);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseCall(int descriptor);

    [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
    private static partial int FStat(int descriptor, stat* buffer);

    [LibraryImport("libc", EntryPoint = "stat", SetLastError = true)]
    private static partial int StatCall(byte* path, stat* buffer);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    private static partial nint ReadLinkCall(byte* path, byte* into, nuint length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial nint LSeek(int descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int FTruncate(int descriptor, long length);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint PRead(int descriptor, void* into, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint PWrite(int descriptor, void* from, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAtCall(int folder, byte* name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int FAllocate(int descriptor, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true)]
    private static partial int MemFdCreate(byte* name, uint flags);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* MMap(void* at, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MUnmap(void* start, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MAdvise(void* start, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mlock2", SetLastError = true)]
    private static partial int MLock2(void* start, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "munlock", SetLastError = true)]
    private static partial int MUnlock(void* start, nuint length);
}
