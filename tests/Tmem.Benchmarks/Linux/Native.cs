using System.Runtime.InteropServices;

namespace Tmem.Benchmarks.Linux;

/// <summary>The few system calls that .NET has no name for.</summary>
internal static unsafe partial class Native
{
    public const int SigStop = 19;
    public const int SigKill = 9;
    public const int ProtReadWrite = 3;
    public const int MapPrivateAnonymous = 0x22;
    public const int MadviseNoHugePage = 15;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true)]
    public static partial byte* mmap(byte* address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munmap(byte* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int madvise(byte* address, nuint length, int advice);

    [LibraryImport("libc")]
    public static partial int clock_gettime(int clock, long* secondsAndNanoseconds);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int mlockall(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munlockall();
}
