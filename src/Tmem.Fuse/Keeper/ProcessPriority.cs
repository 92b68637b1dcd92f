using System.Runtime.InteropServices;
using System.Text;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>Tells the kernel how to treat this process, because other processes' memory depends on it.</summary>
internal static unsafe class ProcessPriority
{
    /// <summary>256 KiB, in hexadecimal as the runtime reads it.</summary>
    private const string RuntimeStackSize = "40000";

    /// <summary>
    /// Above ordinary processes: those that swap wait for this one, and the others compete with it while a worker starts.
    /// </summary>
    private const int Nice = -10;

    /// <summary>A process that gets ready while another serves must disturb nothing.</summary>
    private const int NiceInWaiting = 5;

    /// <summary>
    /// Set across the second start, so that it happens once. Its value is the error number of the I/O flusher mark.
    /// </summary>
    private const string Marker = "TMEMD_RESTARTED";

    /// <summary>
    /// Starts the program once more, because three things take effect only before the runtime starts its threads, and survive
    /// exec: the mark of a process that serves I/O (PR_SET_IO_FLUSHER: its own allocations then never wait for I/O, which would
    /// be its own), a higher processor priority, unless the caller has chosen one, and the size of the runtime's own stacks, 8
    /// MiB each by default, all of it locked memory here. It also blocks the signals that are read from a descriptor, which every
    /// thread of the runtime then inherits, and drops the rights that the program does not need (<see cref="ProcessRights"/>).
    /// Call it first in Main. Returns the second time, or if there cannot be a second time. Processes that the keeper starts
    /// inherit all of it.
    /// </summary>
    /// <returns>A warning to log, or null.</returns>
    public static string? Restart()
    {
        if (Environment.GetEnvironmentVariable(Marker) is { } outcome)
            return int.TryParse(outcome, out var error) ? DescribeFlusher((Errno)error) : null;
        var refused = Libc.prctl(Libc.PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0 ? Errno.Ok : Libc.LastError;
        // Without the right to raise it, the daemon is only slower.
        if (NativeProcess.getpriority(NativeProcess.PRIO_PROCESS, 0) == 0)
            _ = NativeProcess.setpriority(NativeProcess.PRIO_PROCESS, 0, Nice);
        if (Libc.setenv(Marker, ((int)refused).ToString(System.Globalization.CultureInfo.InvariantCulture), 1) == 0
            && Libc.setenv("DOTNET_Thread_DefaultStackSize", RuntimeStackSize, 0) == 0)
        {
            DaemonSignals.Block();
            ProcessRights.BeginWithLess();
            ProcessRights.BeginWithStandardDescriptors();
            InheritedDescriptors.PassOn(true);
            // The link's target rather than the link: the process is then named after the program, not "exe".
            const string self = "/proc/self/exe";
            Execute(Libc.ReadLink(self) is { } path && File.Exists(path) ? path : self);
        }
        return $"The program could not be started again as an I/O flusher: {Libc.Describe(Libc.LastError)}.";
    }

    /// <summary>
    /// Lowers the priority of a thread, and of the processes that it starts, below ordinary ones, until <see
    /// cref="StepForward"/>; not if it could not be raised again, or if the caller has chosen the priority.
    /// </summary>
    /// <param name="thread">Its number; 0 for this one.</param>
    public static void StepBack(int thread = 0)
    {
        if (NativeProcess.getpriority(NativeProcess.PRIO_PROCESS, thread) != Nice) return;
        // A process that may raise its priority further may also restore it.
        if (NativeProcess.setpriority(NativeProcess.PRIO_PROCESS, thread, Nice - 1) == 0)
            _ = NativeProcess.setpriority(NativeProcess.PRIO_PROCESS, thread, NiceInWaiting);
    }

    /// <summary>Undoes <see cref="StepBack"/> for a thread.</summary>
    /// <param name="thread">Its number; a process's number for its first thread; 0 for this one.</param>
    public static void StepForward(int thread = 0)
    {
        if (NativeProcess.getpriority(NativeProcess.PRIO_PROCESS, thread) == NiceInWaiting)
            _ = NativeProcess.setpriority(NativeProcess.PRIO_PROCESS, thread, Nice);
    }

    /// <summary><see cref="StepForward"/> for every thread of this process.</summary>
    public static void AllStepForward()
    {
        foreach (var thread in ProcessThreads.OfSelf()) StepForward(thread);
    }

    /// <summary>The end of a process with a large mapping takes processor time that others need more.</summary>
    public static void AllStepBack()
    {
        foreach (var thread in ProcessThreads.OfSelf()) StepBack(thread);
    }

    /// <summary>The name of this process in ps and the like; a C string of at most 16 bytes.</summary>
    public static void NameProcess(ReadOnlySpan<byte> name)
    {
        fixed (byte* start = name) _ = Libc.prctl(NativeProcess.PR_SET_NAME, (nuint)start, 0, 0, 0);
    }

    private static string? DescribeFlusher(Errno error) => error switch
    {
        Errno.Ok => null,
        Errno.EPERM =>
            "PR_SET_IO_FLUSHER is not permitted (CAP_SYS_RESOURCE): under extreme memory pressure the daemon may have to wait "
            + "for its own I/O.",
        _ => $"PR_SET_IO_FLUSHER failed: {Libc.Describe(error)}.",
    };

    /// <summary>Asks the out-of-memory killer to spare this process.</summary>
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
            return "oom_score_adj cannot be set to -1000 (CAP_SYS_RESOURCE): the out-of-memory killer may choose the daemon. "
                + $"{e.Message}";
        }
    }

    /// <summary>
    /// Replaces the process by a program with the same command line, also as `dotnet tmemd.dll`. Returns if it cannot be
    /// executed.
    /// </summary>
    public static void Execute(string program) => _ = Become(program, File.ReadAllBytes("/proc/self/cmdline"));

    /// <summary>Replaces the process by another program; returns only if that failed.</summary>
    public static Errno Become(string program, IEnumerable<string> words) =>
        Become(program, Encoding.UTF8.GetBytes(string.Concat(words.Select(word => word + '\0'))));

    /// <summary>The same with the words as they are, each with a 0 at its end.</summary>
    private static Errno Become(string program, byte[] line)
    {
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
        var error = Libc.LastError;
        NativeMemory.Free(arguments);
        return error;
    }
}
