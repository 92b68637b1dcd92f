using System.Runtime.InteropServices;

namespace Tmem.Ctl.Swap;

/// <summary>
/// The system calls of the commands that change the machine, and their constants (asm-generic, the same on x64 and arm64).
/// </summary>
internal static partial class NativeMethods
{
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    /// <summary>O_PATH: a name for *at calls; the file system is not asked to open anything.</summary>
    public const int PathOnly = 0x200000;

    /// <summary>O_DIRECTORY and O_NOFOLLOW: two of the few values that differ between the machines.</summary>
    public static int DirectoryOnly { get; } = IsArm ? 0x4000 : 0x10000;
    /// <inheritdoc cref="DirectoryOnly"/>
    public static int NoFollow { get; } = IsArm ? 0x8000 : 0x20000;

    /// <summary>F_SETLEASE, and the kinds of lease.</summary>
    public const int SetLease = 1024;
    public const int WriteLease = 1;
    public const int NoLease = 2;

    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int ENXIO = 6;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EBUSY = 16;
    public const int EINVAL = 22;
    public const int ECONNABORTED = 103;
    public const int ENOTCONN = 107;

    /// <summary>MNT_DETACH.</summary>
    public const int Detach = 2;

    public const nuint LoopControlGetFree = 0x4C82;
    public const nuint LoopConfigure = 0x4C0A;
    public const nuint LoopClear = 0x4C01;
    public const nuint LoopGetStatus = 0x4C05;
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

    [LibraryImport("libc", EntryPoint = "openat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int OpenAt(int directory, string name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int UnlinkAt(int directory, string name, int flags);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChangeMode(int descriptor, uint mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int FileControl(int descriptor, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint WriteAt(int descriptor, ReadOnlySpan<byte> bytes, nuint size, long offset);

    [LibraryImport("libc", EntryPoint = "fsetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int SetAttribute(int descriptor, string name, ReadOnlySpan<byte> value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "fgetxattr", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial nint GetAttribute(int descriptor, string name, Span<byte> value, nuint size);

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Mount(string source, string target, string type, nuint flags, string? data);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "statfs", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static unsafe partial int FileSystemStatus(string path, void* buffer);

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>"No space left on device (errno 28)" for the last failed call.</summary>
    public static string LastError() => Describe(Marshal.GetLastPInvokeError());

    /// <summary>errno's text and number.</summary>
    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}

/// <summary>
/// struct loop_info64 of linux/loop.h, 232 bytes: of what the device stands on, and flags. The name is 64 bytes for whoever
/// attaches the device, which is root alone, to keep what it likes.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 232)]
internal unsafe struct LoopInfo
{
    public const int NameLength = 64;

    [FieldOffset(0)] public ulong Device;
    [FieldOffset(8)] public ulong Inode;
    [FieldOffset(52)] public uint Flags;
    [FieldOffset(56)] public fixed byte Name[NameLength];
}

/// <summary>struct loop_config of linux/loop.h, 304 bytes: descriptor and block size, struct loop_info64, 64 reserved.</summary>
[StructLayout(LayoutKind.Explicit, Size = 304)]
internal struct LoopConfig
{
    [FieldOffset(0)] public uint Descriptor;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8)] public LoopInfo Info;
}
