using System.Runtime.InteropServices;

namespace Tmem.Ctl.Swap;

/// <summary>The system calls of the commands that change the machine, and their constants (asm-generic, the same on x64 and arm64).</summary>
internal static partial class NativeMethods
{
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int CloseOnExec = 0x80000;

    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int ENXIO = 6;
    public const int EBUSY = 16;
    public const int EINVAL = 22;
    public const int ECONNABORTED = 103;
    public const int ENOTCONN = 107;

    /// <summary>MNT_DETACH.</summary>
    public const int Detach = 2;

    public const nuint LoopControlGetFree = 0x4C82;
    public const nuint LoopConfigure = 0x4C0A;
    public const nuint LoopClear = 0x4C01;
    public const uint LoopDirectIo = 16;

    public const int SwapPrefer = 0x8000;
    public const int SwapDiscard = 0x10000;

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(int descriptor, long length);

    [LibraryImport("libc", EntryPoint = "unlink", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Unlink(string path);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static unsafe partial int Control(int descriptor, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "swapon", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int SwapOn(string path, int flags);

    [LibraryImport("libc", EntryPoint = "swapoff", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int SwapOff(string path);

    [LibraryImport("libc", EntryPoint = "setxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int SetAttribute(string path, string name, ReadOnlySpan<byte> value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "getxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial nint GetAttribute(string path, string name, Span<byte> value, nuint size);

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Mount(string source, string target, string type, nuint flags, string? data);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "statfs", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static unsafe partial int FileSystemStatus(string path, void* buffer);

    /// <summary>"No space left on device (errno 28)" for the last failed call.</summary>
    public static string LastError() => Describe(Marshal.GetLastPInvokeError());

    /// <summary>errno's text and number.</summary>
    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}

/// <summary>
/// struct loop_config of linux/loop.h, 304 bytes: descriptor and block size, struct loop_info64 (232 bytes), 64 reserved. Of loop_info64 only the
/// flags (its byte 52) are ours to set; the rest is 0.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 304)]
internal struct LoopConfig
{
    [FieldOffset(0)] public uint Descriptor;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8 + 52)] public uint Flags;
}
