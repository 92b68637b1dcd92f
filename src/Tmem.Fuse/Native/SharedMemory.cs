using System.Runtime.InteropServices;
using Tmem.Engine.Native;

namespace Tmem.Fuse.Native;

/// <summary>
/// Memory that processes share and that outlives each of them: unnamed files of a tmpfs that is mounted nowhere, with the option
/// <c>noswap</c> (Linux 6.4), or, before that, files of locked segments (<see cref="LockedSegment"/>).
/// </summary>
/// <remarks>
/// A memfd is swapped out as soon as no living process has it locked, and a worker's locks die with it. Pages on the swap device
/// that the store serves come back only through the store: a successor that touches them waits for itself. Mapping and locking it
/// in the keeper as well misses the pages that a worker took since the keeper last looked. A file that is never swapped has no
/// such gap.
/// </remarks>
internal static unsafe partial class SharedMemory
{
    // The same numbers on every architecture.
    private const int SYS_fsopen = 430;
    private const int SYS_fsconfig = 431;
    private const int SYS_fsmount = 432;
    private const int FSOPEN_CLOEXEC = 1;
    private const int FSMOUNT_CLOEXEC = 1;
    private const int FSCONFIG_SET_FLAG = 0;
    private const int FSCONFIG_SET_STRING = 1;
    private const int FSCONFIG_CMD_CREATE = 6;
    private const uint OwnerOnly = 0x180; // 0600
    private static readonly int s_temporaryFile = 0x400000
        | (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000); // O_TMPFILE with its O_DIRECTORY

    /// <summary>
    /// A new memory file, closed on exec. Where the kernel has no such tmpfs it belongs to a locked segment, and where that is
    /// refused too it is a memfd, which only the locks of living processes keep from being swapped.
    /// </summary>
    /// <param name="name">Its purpose, shown by /proc for a memfd.</param>
    /// <param name="bytes">Its length; 0 if the caller sets one later, and then calls <see
    /// cref="LockedSegment.TryLock"/>.</param>
    /// <param name="stays">Whether it stays in memory by itself.</param>
    /// <param name="segment">The segment that its users must <see cref="LockedSegment.Hold"/>.</param>
    /// <exception cref="StartupException">The kernel refuses one.</exception>
    public static int Create(string name, long bytes, out bool stays, out int segment)
    {
        segment = LockedSegment.None;
        var descriptor = CreateUnswappable();
        stays = descriptor >= 0;
        if (descriptor < 0) descriptor = LockedSegment.Create(out segment);
        if (descriptor < 0) descriptor = NativeProcess.memfd_create(name, NativeProcess.MFD_CLOEXEC);
        if (descriptor < 0) throw new StartupException($"memfd_create failed: {Libc.Describe(Libc.LastError)}.");
        if (bytes == 0) return descriptor;
        if (NativeProcess.ftruncate(descriptor, bytes) != 0)
            throw new StartupException(Libc.LastError == Errno.EFBIG && FileSizeLimit.Bytes is { } most
                ? $"Cannot make {name}, {bytes} bytes, as this process may have files of {most} bytes at most: "
                    + $"{FileSizeLimit.Remedy}."
                : $"No memory for {name}, {bytes} bytes: {Libc.Describe(Libc.LastError)}.");
        stays |= LockedSegment.TryLock(segment);
        return descriptor;
    }

    /// <summary>Such a file, or -1. The mount ends with its last file.</summary>
    private static int CreateUnswappable()
    {
        var context = (int)fsopen(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        if (context < 0) return -1;
        var mount = -1;
        try
        {
            if (fsconfig(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "noswap", null, 0) != 0
                // No limit: the default is half the machine's memory.
                || fsconfig(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "0", 0) != 0
                || fsconfig(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null, null, 0) != 0)
                return -1;
            mount = (int)fsmount(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
            return mount < 0 ? -1 : openat(mount, ".", s_temporaryFile | Libc.O_RDWR | Libc.O_CLOEXEC, OwnerOnly);
        }
        finally
        {
            if (mount >= 0) _ = Libc.close(mount);
            _ = Libc.close(context);
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint fsopen(nint number, string name, nint flags);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint fsconfig(nint number, nint context, nint command, string? key, string? value, nint extra);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint fsmount(nint number, nint context, nint flags, nint attributes);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int openat(int directory, string path, int flags, uint mode);
}
