using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>The outcome of a system call (asm-generic numbers, the same on x64 and arm64).</summary>
internal enum Errno
{
    Ok = 0,
    ENOENT = 2,
    EINTR = 4,
    ENXIO = 6,
    EAGAIN = 11,
    ENOMEM = 12,
    EBUSY = 16,
    EINVAL = 22,
    ENODATA = 61,
    ECONNABORTED = 103,
    ENOTCONN = 107,
}

/// <summary>Errors as calls return them, and as people read them.</summary>
internal static class Errors
{
    /// <summary>The error of the call that has just returned this.</summary>
    public static Errno Of(long result) => result < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.Ok;

    /// <summary>"No space left on device (errno 28)"; null if there is none.</summary>
    public static string? Problem(this Errno error) => error == Errno.Ok ? null
        : $"{Marshal.GetPInvokeErrorMessage((int)error)} (errno {(int)error})";
}
