using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>Processes that are not children, by pidfds; and what this one becomes.</summary>
internal static partial class Processes
{
    /// <summary>pidfd_open(2), which has no wrapper in older C libraries; its number is the same everywhere.</summary>
    private const nint PidDescriptor = 434;
    private const short Readable = 1;

    public static Errno Hold(int process, out int descriptor) =>
        Errors.Of(descriptor = (int)syscall(PidDescriptor, process, 0));

    /// <summary>Waits until it has ended; false if that takes longer. Its descriptors are closed by then.</summary>
    public static bool AwaitEnd(int descriptor, TimeSpan patience)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var left = Math.Clamp((patience - Stopwatch.GetElapsedTime(began)).TotalMilliseconds, 0, int.MaxValue);
            var wait = new Poll { Descriptor = descriptor, Events = Readable };
            var ready = poll(ref wait, 1, (int)left);
            if (ready > 0) return true;
            if (Errors.Of(ready) != Errno.EINTR) return false;
        }
    }

    /// <summary>Replaces this process by another program; returns only if that failed.</summary>
    public static Errno Become(string program, IEnumerable<string> words) => Errors.Of(execv(program, [.. words, null]));

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Poll
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int execv(string path, string?[] words);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint process, nint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(ref Poll descriptors, nuint count, int milliseconds);
}
