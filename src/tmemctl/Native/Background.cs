using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>Programs that go on when this one has ended. Constants are asm-generic.</summary>
internal static unsafe partial class Background
{
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800;
    private const int SetFlags = 4; // F_SETFL
    private const short OwnSession = 0x80, SignalsByDefault = 4, SignalMask = 8; // POSIX_SPAWN_SETSID, SETSIGDEF, SETSIGMASK
    private const int NoHang = 1; // WNOHANG
    private const int SignalOfStatus = 0x7F; // WTERMSIG
    private const int Terminate = 15; // SIGTERM

    /// <summary>glibc's posix_spawnattr_t has 336 bytes, posix_spawn_file_actions_t 80, sigset_t 128.</summary>
    private const int StructBytes = 512;

    /// <summary>A pipe for what a program says while it starts: writing to it never waits.</summary>
    public static Errno OpenPipe(out int read, out int write)
    {
        var ends = stackalloc int[2];
        var error = Errors.Of(pipe2(ends, CloseOnExec));
        (read, write) = error == Errno.Ok ? (ends[0], ends[1]) : (-1, -1);
        if (error == Errno.Ok) _ = fcntl(write, SetFlags, NonBlocking);
        return error;
    }

    /// <summary>
    /// Starts a program in a session of its own: no terminal, nor its hang-up, is the program's. Signals are as at a login.
    /// </summary>
    /// <param name="program">Its path.</param>
    /// <param name="words">Its command line.</param>
    /// <param name="environment">NAME=value.</param>
    /// <param name="input">Its standard input; <paramref name="output"/> and <paramref name="error"/> likewise.</param>
    /// <param name="output">Above 2, as the other two.</param>
    /// <param name="error">What it says.</param>
    /// <param name="process">Its number.</param>
    public static Errno Start(string program, IEnumerable<string> words, IEnumerable<string> environment, int input, int output,
        int error, out int process)
    {
        var room = stackalloc byte[3 * StructBytes];
        var actions = room;
        var attributes = room + StructBytes;
        var signals = room + 2 * StructBytes;
        NativeMemory.Clear(room, 3 * StructBytes);
        _ = posix_spawn_file_actions_init(actions);
        _ = posix_spawn_file_actions_adddup2(actions, input, 0);
        _ = posix_spawn_file_actions_adddup2(actions, output, 1);
        _ = posix_spawn_file_actions_adddup2(actions, error, 2);
        _ = posix_spawnattr_init(attributes);
        _ = posix_spawnattr_setflags(attributes, OwnSession | SignalsByDefault | SignalMask);
        _ = posix_spawnattr_setsigmask(attributes, signals);
        _ = sigfillset(signals);
        _ = posix_spawnattr_setsigdefault(attributes, signals);
        var failed = posix_spawn(out process, program, actions, attributes, [.. words, null], [.. environment, null]);
        _ = posix_spawn_file_actions_destroy(actions);
        return (Errno)failed;
    }

    /// <summary>Whether a process that this one has started has ended.</summary>
    /// <param name="process">Its number.</param>
    /// <param name="signal">The signal that has killed it; 0 for none.</param>
    public static bool HasEnded(int process, out int signal)
    {
        var ended = waitpid(process, out var status, NoHang);
        signal = ended == process ? status & SignalOfStatus : 0;
        return ended != 0;
    }

    /// <summary>Asks it to end.</summary>
    public static void Stop(int process) => _ = kill(process, Terminate);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(int* ends, int flags);

    [LibraryImport("libc")]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc")]
    private static partial int waitpid(int process, out int status, int options);

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc")]
    private static partial int sigfillset(void* set);

    /// <summary>Returns the error itself.</summary>
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn(out int process, string program, void* actions, void* attributes, string?[] words,
        string?[] environment);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(void* attributes, void* mask);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(void* attributes, void* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(void* actions);
}
