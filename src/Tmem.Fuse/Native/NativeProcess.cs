using System.Runtime.InteropServices;

namespace Tmem.Fuse.Native;

/// <summary>
/// The system calls by which keeper and worker start, watch and send things to each other. All arguments are plain values and
/// pointers: no call allocates managed memory. Constants are asm-generic, the same on x64 and arm64.
/// </summary>
internal static unsafe partial class NativeProcess
{
    private const string Name = "libc";

    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;
    public const int SIG_BLOCK = 0;

    public const int O_RDONLY = 0;
    public const int O_CLOEXEC = 0x80000;

    public const int FUTEX_WAIT = 0;
    public const int FUTEX_WAKE = 1;

    public const int P_PIDFD = 3;
    public const int WEXITED = 4;
    public const int WNOHANG = 1;
    public const int CLD_EXITED = 1;

    public const int AF_UNIX = 1;
    public const int SOCK_DGRAM = 2;
    public const int SOCK_SEQPACKET = 5;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SHUT_RDWR = 2;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int MSG_DONTWAIT = 0x40;

    public const int F_GETFD = 1;
    public const int F_SETFD = 2;
    public const int F_DUPFD_CLOEXEC = 1030;
    public const int F_ADD_SEALS = 1033;
    public const int F_SEAL_ALL = 15; // SEAL, SHRINK, GROW, WRITE
    public const int FD_CLOEXEC = 1;
    public const int EFD_CLOEXEC = 0x80000;
    public const int MFD_CLOEXEC = 1;
    public const int MFD_ALLOW_SEALING = 2;
    public const int MFD_EXEC = 16;
    public const int SOL_SOCKET = 1;
    public const int SCM_RIGHTS = 1;
    public const int MSG_CMSG_CLOEXEC = 0x40000000;
    public const int SFD_CLOEXEC = 0x80000;
    public const int SFD_NONBLOCK = 0x800;
    public const int PR_SET_NAME = 15;
    public const int PRIO_PROCESS = 0;

    public const short POSIX_SPAWN_SETPGROUP = 2;
    public const short POSIX_SPAWN_SETSIGMASK = 8;

    /// <summary>glibc's posix_spawnattr_t has 336 bytes and posix_spawn_file_actions_t 80; musl's are smaller.</summary>
    public const int SpawnStructBytes = 512;

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint a, nint b, nint c = 0, nint d = 0);

    /// <summary>pidfd_open(2), which has no wrapper in older C libraries; its number is the same everywhere.</summary>
    public static int PidDescriptor(int process) => (int)SystemCall(434, process, 0);

    /// <summary>close_range(2), Linux 5.11: sets close-on-exec on all descriptors from this one on.</summary>
    public static int CloseOnExecFrom(int descriptor)
    {
        const int call = 436, whenExecuted = 4; // CLOSE_RANGE_CLOEXEC
        return (int)SystemCall(call, descriptor, int.MaxValue, whenExecuted);
    }

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    private static int FutexCall => IsArm ? 98 : 202;

    /// <summary>set_robust_list(2): the words that the kernel marks when the calling thread ends.</summary>
    public static int SetRobustList(void* head, int bytes) => (int)SystemCall(IsArm ? 99 : 273, (nint)head, bytes);

    /// <summary>gettid(2).</summary>
    public static int ThreadNumber() => (int)SystemCall(IsArm ? 178 : 186, 0, 0);

    /// <summary>Sleeps while the word holds this value; may return early.</summary>
    public static void FutexWait(uint* word, uint value) => _ = SystemCall(FutexCall, (nint)word, FUTEX_WAIT, (nint)value, 0);

    /// <summary>Wakes all sleepers on the word.</summary>
    public static void FutexWake(uint* word) => _ = SystemCall(FutexCall, (nint)word, FUTEX_WAKE, int.MaxValue, 0);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int waitid(int kind, int id, SignalInfo* info, int options);

    [LibraryImport(Name)]
    public static partial int waitpid(int process, int* status, int options);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int kill(int process, int signal);

    [LibraryImport(Name)]
    public static partial int getpriority(int kind, int id);

    [LibraryImport(Name)]
    public static partial int setpriority(int kind, int id, int value);

    [LibraryImport(Name)]
    public static partial int setrlimit(int resource, ulong* limits);

    [LibraryImport(Name)]
    public static partial void _exit(int code);

    [LibraryImport(Name)]
    public static partial int pthread_sigmask(int how, SignalSet* set, SignalSet* old);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int signalfd(int descriptor, SignalSet* set, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int socket(int domain, int type, int protocol);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int socketpair(int domain, int type, int protocol, int* pair);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint send(int socket, void* buffer, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint recv(int socket, void* buffer, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fcntl(int descriptor, int command, int argument);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int eventfd(uint value, int flags);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int pipe2(int* ends, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int dup2(int from, int to);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int dup3(int from, int to, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int shutdown(int socket, int how);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pread(int descriptor, void* buffer, nuint length, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int access(byte* path, int mode);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint sendmsg(int socket, SocketMessage* message, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint recvmsg(int socket, SocketMessage* message, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int ftruncate(int descriptor, long length);

    /// <summary>Returns the error number itself, also when the program cannot be executed.</summary>
    [LibraryImport(Name)]
    public static partial int posix_spawn(int* process, byte* path, void* actions, void* attributes, byte** arguments,
        byte** environment);

    [LibraryImport(Name)]
    public static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport(Name)]
    public static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport(Name)]
    public static partial int posix_spawnattr_setsigmask(void* attributes, SignalSet* mask);

    [LibraryImport(Name)]
    public static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport(Name)]
    public static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport(Name)]
    public static partial int posix_spawn_file_actions_destroy(void* actions);
}

/// <summary>sigset_t: signal n is bit n - 1.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SignalSet
{
    private fixed ulong _bits[16];

    public static SignalSet Of(ReadOnlySpan<int> signals)
    {
        var set = new SignalSet();
        foreach (var signal in signals) set._bits[(signal - 1) / 64] |= 1UL << ((signal - 1) % 64);
        return set;
    }
}

/// <summary>siginfo_t as waitid fills it in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct SignalInfo
{
    [FieldOffset(8)] public int Code;
    [FieldOffset(16)] public int Process;
    [FieldOffset(24)] public int Status;
}
