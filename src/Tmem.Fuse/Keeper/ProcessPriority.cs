using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Keeper;

/// <summary>What the kernel is told about this process because other processes' memory hangs on it.</summary>
internal static unsafe class ProcessPriority
{
    /// <summary>Set across the second start, so that it happens once.</summary>
    private const string Marker = "TMEMD_IO_FLUSHER";

    /// <summary>
    /// Marks every thread as one that serves I/O (PR_SET_IO_FLUSHER): its own allocations then never wait for I/O, which would be
    /// its own. The mark belongs to the calling thread and to what it starts later, and the runtime has started threads by now; but it outlives
    /// exec, so it is set and the program started once more. Call it first in Main. Returns only if there is nothing to do or it cannot be done.
    /// </summary>
    /// <returns>A warning to log, or null.</returns>
    public static string? BecomeIoFlusher()
    {
        if (Environment.GetEnvironmentVariable(Marker) is not null) return null;
        if (Libc.prctl(Libc.PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1) return null;
        if (Libc.prctl(Libc.PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0)
        {
            var error = Libc.LastError;
            return error == Errno.EPERM
                ? "PR_SET_IO_FLUSHER is not permitted (CAP_SYS_RESOURCE): under extreme memory pressure the daemon may have to wait for its own I/O."
                : $"PR_SET_IO_FLUSHER failed: {Libc.Describe(error)}.";
        }
        if (Libc.setenv(Marker, "1", 1) == 0) Restart();
        return $"The program could not be started again as an I/O flusher: {Libc.Describe(Libc.LastError)}.";
    }

    /// <summary>Asks the out-of-memory killer to choose anybody else.</summary>
    /// <returns>A warning to log, or null.</returns>
    public static string? AvoidOutOfMemoryKiller()
    {
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", "-1000");
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"oom_score_adj cannot be set to -1000 (CAP_SYS_RESOURCE): the out-of-memory killer may choose the daemon. {e.Message}";
        }
    }

    /// <summary>Replaces the process by the same program with the same command line, as `dotnet tmemd.dll` too.</summary>
    private static void Restart()
    {
        // The link's target rather than the link: the process is then named after the program, not "exe".
        var program = Libc.ReadLink("/proc/self/exe") is { } path && File.Exists(path) ? path : "/proc/self/exe";
        var line = File.ReadAllBytes("/proc/self/cmdline");
        var count = line.Count(b => b == 0);
        var arguments = (byte**)NativeMemory.AllocZeroed((nuint)(count + 1), (nuint)sizeof(byte*));
        fixed (byte* text = line)
        {
            var next = 0;
            for (var i = 0; i < count; i++)
            {
                arguments[i] = text + next;
                next += Array.IndexOf(line, (byte)0, next) - next + 1;
            }
            _ = Libc.execv(program, arguments);
        }
        NativeMemory.Free(arguments);
    }
}
