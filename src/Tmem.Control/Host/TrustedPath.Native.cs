using System.Runtime.InteropServices;
using System.Text;

namespace Tmem.Control.Host;

/// <summary>The system calls of a walk. O_DIRECTORY and O_NOFOLLOW are other bits on arm64.</summary>
internal static unsafe partial class TrustedPath
{
    private const int AtCwd = -100;
    private const int OCreat = 0x40;
    private const int OExcl = 0x80;
    private const int OCloexec = 0x80000;
    private const int OPath = 0x200000;
    private const int ENOENT = 2;
    private const int EEXIST = 17;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>O_DIRECTORY.</summary>
    private static int ODirectory => IsArm ? 0x4000 : 0x10000;

    /// <summary>O_NOFOLLOW.</summary>
    private static int ONoFollow => IsArm ? 0x8000 : 0x20000;

    /// <summary>The status of an open descriptor. If it cannot be read, the owner counts as unknown.</summary>
    private static FileStatus StatusOf(int descriptor) =>
        FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out var status) == 0 ? status
            : new FileStatus { Owner = uint.MaxValue };

    private static string? ReadLink(int link)
    {
        const int room = 4096;
        var buffer = stackalloc byte[room];
        var length = readlinkat(link, "", buffer, room);
        return length <= 0 ? null : Encoding.UTF8.GetString(buffer, (int)length);
    }

    private static string? ReadName(int descriptor)
    {
        const int room = 4096;
        var buffer = stackalloc byte[room];
        var length = readlinkat(AtCwd, $"/proc/self/fd/{descriptor}", buffer, room);
        return length <= 0 ? null : Encoding.UTF8.GetString(buffer, (int)length);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int openat(int directory, string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdirat(int directory, string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint readlinkat(int directory, string path, byte* buffer, nint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmod(int descriptor, uint mode);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
