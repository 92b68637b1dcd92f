using Mono.Unix.Native;
using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>File calls that return the kernel's own errno, which .NET's exceptions hide.</summary>
internal static unsafe class Files
{
    private const FilePermissions Mode = FilePermissions.S_IRUSR | FilePermissions.S_IWUSR;

    /// <summary>Opens a file; below 0 with the reason in <paramref name="error"/>.</summary>
    public static int Open(string path, OpenFlags flags, out Errno error)
    {
        var descriptor = Syscall.open(path, flags, Mode);
        error = descriptor < 0 ? Stdlib.GetLastError() : 0;
        return descriptor;
    }

    /// <summary>Makes an empty file; 0 or the errno.</summary>
    public static Errno Create(string path)
    {
        var descriptor = Open(path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY, out var error);
        if (descriptor >= 0) Close(descriptor);
        return error;
    }

    /// <summary>Writes all bytes at an offset; 0 or the first error.</summary>
    public static Errno Write(int descriptor, ReadOnlySpan<byte> bytes, long offset = 0)
    {
        fixed (byte* start = bytes)
        {
            for (long done = 0; done < bytes.Length;)
            {
                var step = Syscall.pwrite(descriptor, start + done, (ulong)(bytes.Length - done), offset + done);
                if (step < 0) return Stdlib.GetLastError();
                done += step;
            }
        }
        return 0;
    }

    /// <summary>Reads at an offset; 0 with the number of bytes, or the errno.</summary>
    public static Errno Read(int descriptor, Span<byte> into, long offset, out int length)
    {
        fixed (byte* start = into) length = (int)Syscall.pread(descriptor, start, (ulong)into.Length, offset);
        return length < 0 ? Stdlib.GetLastError() : 0;
    }

    /// <summary>Sets a file's length; 0 or the errno.</summary>
    public static Errno Truncate(int descriptor, long length) => Syscall.ftruncate(descriptor, length) == 0 ? 0
        : Stdlib.GetLastError();

    /// <summary>Closes, and fails the test if even that fails.</summary>
    public static void Close(int descriptor) => Assert.Equal(0, Syscall.close(descriptor));
}
