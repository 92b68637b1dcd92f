using System.Runtime.InteropServices;
using Tmem.Control.Host;

namespace Tmem.Ctl.Native;

/// <summary>Files by descriptors, all close-on-exec.</summary>
internal static partial class Files
{
    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    /// <summary>O_PATH: a base for *at calls; sends no open to the file system.</summary>
    public const int PathOnly = 0x200000;
    private const int CloseOnExec = 0x80000;
    private const int SetLease = 1024, WriteLease = 1, NoLease = 2; // F_SETLEASE, F_WRLCK, F_UNLCK
    private const int LockExclusive = 2, LockNonBlocking = 4;
    private const short Readable = 1; // POLLIN

    /// <summary>O_DIRECTORY and O_NOFOLLOW: two of the few values that differ between architectures.</summary>
    public static int DirectoryOnly { get; } = IsArm ? 0x4000 : 0x10000;
    /// <inheritdoc cref="DirectoryOnly"/>
    public static int NoFollow { get; } = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>geteuid(2).</summary>
    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    public static Errno Open(string path, int flags, out int descriptor) =>
        Errors.Of(descriptor = open(path, flags | CloseOnExec, 0));

    /// <param name="folder">The directory's descriptor.</param>
    /// <param name="name">Below it.</param>
    /// <param name="flags">Of open(2).</param>
    /// <param name="descriptor">The file's; negative on an error.</param>
    /// <param name="mode">Of a new file.</param>
    public static Errno OpenAt(int folder, string name, int flags, out int descriptor, uint mode = 0) =>
        Errors.Of(descriptor = openat(folder, name, flags | CloseOnExec, mode));

    public static void Close(int descriptor) => _ = close(descriptor);

    /// <summary>The status of an open descriptor.</summary>
    public static Errno Status(int descriptor, out FileStatus status) =>
        Errors.Of(FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out status));

    /// <summary>The status of the file at a name; a link is not followed.</summary>
    public static Errno StatusAt(int folder, string name, out FileStatus status) =>
        Errors.Of(FileStatus.Of(folder, name, FileStatus.NoFollow, FileStatus.Basic, out status));

    /// <summary>Whether a read would not wait: something is there, or the end, or an error. Waits for that so long.</summary>
    public static bool HasInput(int descriptor, int milliseconds)
    {
        var wait = new Poll { Descriptor = descriptor, Events = Readable };
        return poll(ref wait, 1, milliseconds) > 0;
    }

    public static Errno Truncate(int descriptor, long length) => Errors.Of(ftruncate(descriptor, length));

    public static Errno ChangeMode(int descriptor, uint mode) => Errors.Of(fchmod(descriptor, mode));

    public static Errno ChangeOwner(int descriptor, uint owner, uint group) => Errors.Of(fchown(descriptor, owner, group));

    public static Errno UnlinkAt(int folder, string name) => Errors.Of(unlinkat(folder, name, 0));

    public static Errno Sync(int descriptor) => Errors.Of(fsync(descriptor));

    public static Errno WriteAt(int descriptor, ReadOnlySpan<byte> bytes, long offset, out int written) =>
        Errors.Of(written = (int)pwrite(descriptor, bytes, (nuint)bytes.Length, offset));

    public static Errno SetAttribute(int descriptor, string name, ReadOnlySpan<byte> value) =>
        Errors.Of(fsetxattr(descriptor, name, value, (nuint)value.Length, 0));

    public static Errno RemoveAttribute(int descriptor, string name) => Errors.Of(fremovexattr(descriptor, name));

    public static Errno GetAttribute(int descriptor, string name, Span<byte> value, out int length) =>
        Errors.Of(length = (int)fgetxattr(descriptor, name, value, (nuint)value.Length));

    /// <summary>
    /// Whether no other process has the file open: EAGAIN if one has, another error where the kernel cannot say. The kernel
    /// grants a write lease (fcntl(2)) only then; it is released at once.
    /// </summary>
    public static Errno RequireSole(int descriptor)
    {
        var error = Errors.Of(fcntl(descriptor, SetLease, WriteLease));
        if (error == Errno.Ok) _ = fcntl(descriptor, SetLease, NoLease);
        return error;
    }

    /// <summary>flock(2), exclusive and non-blocking.</summary>
    public static Errno Lock(int descriptor) => Errors.Of(flock(descriptor, LockExclusive | LockNonBlocking));

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int openat(int directory, string name, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int descriptor, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmod(int descriptor, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchown(int descriptor, uint owner, uint group);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int unlinkat(int directory, string name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pwrite(int descriptor, ReadOnlySpan<byte> bytes, nuint size, long offset);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int fsetxattr(int descriptor, string name, ReadOnlySpan<byte> value, nuint size, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int fremovexattr(int descriptor, string name);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint fgetxattr(int descriptor, string name, Span<byte> value, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int descriptor, int operation);

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Poll
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc")]
    private static partial int poll(ref Poll descriptors, nuint count, int milliseconds);
}
