using System.Runtime.InteropServices;

namespace Tmem.Engine.Native;

/// <summary>
/// This process's limit on the size of files (ulimit -f). A call beyond it fails with EFBIG and sends SIGXFSZ, which ends a
/// process that does not expect it; so the engine asks first, and leaves the disposition of signals to its host. It is asked each
/// time, as prlimit(1) can change it while the process runs. Memory given by a descriptor is such a file too.
/// </summary>
internal static unsafe partial class FileSizeLimit
{
    private const int FileSize = 1;

    /// <summary>The most bytes that a file may have; null for no limit.</summary>
    public static long? Bytes
    {
        get
        {
            var limits = stackalloc ulong[2];
            return GetLimit(FileSize, limits) == 0 && limits[0] <= long.MaxValue ? (long)limits[0] : null;
        }
    }

    /// <summary>Whether a file may reach so far.</summary>
    public static bool Allows(long end) => Bytes is not { } most || end <= most;

    /// <summary>What to do about it; a clause without a full stop. The limit is inherited, by successors too.</summary>
    public static string Remedy =>
        $"raise that limit (ulimit -f unlimited, or LimitFSIZE=infinity of a service; prlimit --fsize=unlimited --pid "
        + $"{Environment.ProcessId} does it for this process)";

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ulong* limits);
}
