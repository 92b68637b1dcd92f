using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Signals of tmemd's processes: blocked before the runtime of the first one starts, in every thread of every process from its
/// first instruction to its last, and read from a descriptor. So none ever ends a process unexpectedly: a stop is decided on,
/// SIGHUP has a removed control socket made again, any other is logged and ignored.
/// <para>Not blocked: the signals of a program's own fault, those that cannot be blocked, those that the C library and the
/// runtime send themselves (32 to 34), and those ignored by default.</para>
/// </summary>
internal static class DaemonSignals
{
    private const int Pipe = 13;
    private const int SignalInfoBytes = 128;
    private static readonly int[] s_left =
    [
        4, 5, 6, 7, 8, 11, 31, // ILL TRAP ABRT BUS FPE SEGV SYS
        NativeProcess.SIGKILL, 19, // KILL STOP
        // The runtime ignores it, and its children inherit that; blocked, each write to a closed peer would queue one to read.
        Pipe,
        17, 18, 23, 28, // CHLD CONT URG WINCH
        32, 33, 34,
    ];

    /// <summary>All signals read from a descriptor.</summary>
    public static SignalSet Blocked => SignalSet.Of(Enumerable.Range(1, 64).Except(s_left).ToArray());

    /// <summary>Whether it asks the daemon to stop.</summary>
    public static bool IsStop(int signal) => signal is NativeProcess.SIGINT or NativeProcess.SIGQUIT or NativeProcess.SIGTERM;

    /// <summary>Blocks them in this thread, and in the threads and processes that it starts.</summary>
    public static unsafe void Block()
    {
        var signals = Blocked;
        _ = NativeProcess.pthread_sigmask(NativeProcess.SIG_BLOCK, &signals, null);
    }

    /// <summary>A descriptor to read them from, non-blocking.</summary>
    /// <exception cref="StartupException">The system is out of descriptors.</exception>
    public static unsafe int Open()
    {
        var signals = Blocked;
        var descriptor = NativeProcess.signalfd(-1, &signals, NativeProcess.SFD_CLOEXEC | NativeProcess.SFD_NONBLOCK);
        if (descriptor >= 0) return descriptor;
        throw new StartupException($"signalfd failed: {Libc.Describe(Libc.LastError)}. Raise the limit on open files.");
    }

    /// <summary>The next one, or 0.</summary>
    public static unsafe int Read(int descriptor)
    {
        var info = stackalloc byte[SignalInfoBytes];
        return Libc.read(descriptor, info, SignalInfoBytes) == SignalInfoBytes ? *(int*)info : 0;
    }

    /// <summary>Its name, without a managed allocation.</summary>
    public static string Name(int signal) => signal switch
    {
        NativeProcess.SIGHUP => "SIGHUP",
        NativeProcess.SIGINT => "SIGINT",
        NativeProcess.SIGQUIT => "SIGQUIT",
        10 => "SIGUSR1",
        12 => "SIGUSR2",
        14 => "SIGALRM",
        NativeProcess.SIGTERM => "SIGTERM",
        20 => "SIGTSTP",
        21 => "SIGTTIN",
        22 => "SIGTTOU",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        29 => "SIGIO",
        30 => "SIGPWR",
        _ => "a signal",
    };
}
