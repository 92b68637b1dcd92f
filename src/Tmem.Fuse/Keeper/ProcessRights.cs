using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The rights of a daemon's processes, no more than each needs. A process begins with the set of <see cref="BeginWithLess"/>; the
/// founder gives up, once all files are open, what its successors never need; and the threads of a worker hold only in reserve
/// what only a stop needs (<see cref="Lower"/>, <see cref="Raise"/>).
/// <list type="table">
/// <item>CAP_IPC_LOCK: every mapping of a locked process, always.</item>
/// <item>CAP_SYS_NICE: a higher processor priority, always.</item>
/// <item>CAP_SYS_ADMIN: to mount, and to unmount in a stop. A worker keeps it in reserve, because its keeper may be dead, and it
/// must be able to start another.</item>
/// <item>CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH: to name in a stop the processes that hold the mount, and to see that a worker's
/// last thread has ended.</item>
/// <item>CAP_SYS_RESOURCE: to be spared by the out-of-memory killer; at the start only. CAP_DAC_OVERRIDE: the region's file; at
/// the start only. CAP_SETGID: to join the control socket's group; at the start only.</item>
/// </list>
/// On a system that grants less the daemon runs as far as it can: each missing right is warned of where it matters.
/// </summary>
internal static unsafe class ProcessRights
{
    private const int DacOverride = 1;
    private const int DacReadSearch = 2;
    private const int SetGroups = 6;
    private const int IpcLock = 14;
    private const int SysPtrace = 19;
    private const int SysAdmin = 21;
    private const int SysNice = 23;
    private const int SysResource = 24;
    private const int LastCapability = 63;

    private const ulong Always = (1UL << IpcLock) | (1UL << SysNice);
    private const ulong InReserve = (1UL << SysAdmin) | (1UL << SysPtrace) | (1UL << DacReadSearch);
    private const ulong AtTheStart = (1UL << SysResource) | (1UL << DacOverride) | (1UL << SetGroups);

    private const int PR_SET_DUMPABLE = 4;
    private const int PR_CAPBSET_DROP = 24;
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const int PR_CAP_AMBIENT = 47;
    private const int PR_CAP_AMBIENT_CLEAR_ALL = 4;
    private const int RLIMIT_CORE = 4;

    /// <summary>
    /// Before exec of a program that becomes a daemon: it and all processes that it starts can never have more than this,
    /// whatever they execute.
    /// </summary>
    public static void BeginWithLess()
    {
        for (var capability = 0; capability <= LastCapability; capability++)
        {
            if (((Always | InReserve | AtTheStart) >> capability & 1) != 0) continue;
            _ = Libc.prctl(PR_CAPBSET_DROP, (nuint)capability, 0, 0, 0);
        }
        _ = Libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        _ = Libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }

    /// <summary>
    /// Before the same exec: closes descriptors that the caller happened to have open, which could keep a mount busy. The
    /// standard three stay; a closed one is opened to nowhere, lest a device get its number and the log with it.
    /// </summary>
    public static void BeginWithStandardDescriptors()
    {
        const int standard = 3;
        for (var descriptor = 0; descriptor < standard; descriptor++)
        {
            // Descriptors that the runtime has opened meanwhile are closed by the exec.
            var flags = NativeProcess.fcntl(descriptor, NativeProcess.F_GETFD, 0);
            if (flags >= 0 && (flags & NativeProcess.FD_CLOEXEC) == 0) continue;
            var nowhere = Libc.open("/dev/null", Libc.O_RDWR);
            if (nowhere < 0 || nowhere == descriptor) continue;
            _ = NativeProcess.dup2(nowhere, descriptor);
            _ = Libc.close(nowhere);
        }
        if (NativeProcess.CloseOnExecFrom(standard) == 0) return;
        // Before Linux 5.11.
        foreach (var path in ProcessDescriptors.Of("/proc/self"))
        {
            if (!int.TryParse(Path.GetFileName(path), out var number) || number < standard) continue;
            _ = NativeProcess.fcntl(number, NativeProcess.F_SETFD, NativeProcess.FD_CLOEXEC);
        }
    }

    /// <summary>
    /// Makes this process, and those that it starts, a member of a group and of no other, so that without further rights it can
    /// give the control socket to it, now and when the socket is made anew. Without the right to, it has the groups it had.
    /// Before there is a thread that has fewer rights: the C library ends a process whose threads get different answers.
    /// </summary>
    public static void Join(uint group) => _ = Libc.setgroups(1, &group);

    /// <summary>
    /// Gives up for good what only a start needs; for the calling thread, and the threads and processes that it starts.
    /// </summary>
    public static void EndStart() => Capabilities.Keep(Always | InReserve, Always | InReserve);

    /// <summary>
    /// Drops the reserve from the effective set; for the calling thread, and those that it starts, until one raises it.
    /// </summary>
    public static void Lower() => Capabilities.Keep(Always, Always | InReserve);

    /// <summary>
    /// Gives up all rights but that to a mapping of a locked process, which the runtime makes when it compiles; for a thread that
    /// only carries lines.
    /// </summary>
    public static void GiveUp() => Capabilities.Keep(1UL << IpcLock, 1UL << IpcLock);

    /// <summary>Takes the reserve for the calling thread, until the returned value is disposed of.</summary>
    public static Raised Raise()
    {
        Capabilities.Keep(Always | InReserve, Always | InReserve);
        return default;
    }

    /// <summary>
    /// Keeps this process's memory, which is other processes' memory, out of core dumps and from unprivileged readers. Where the
    /// process has no right to look into others (CAP_SYS_PTRACE: containers mostly lack it), its own end could not be seen
    /// either: then only the dumps are prevented.
    /// </summary>
    public static void KeepMemoryToSelf()
    {
        // 1 and not 0: then a dump is not piped to a program either.
        var limit = stackalloc ulong[2] { 1, 1 };
        _ = NativeProcess.setrlimit(RLIMIT_CORE, limit);
        if ((Capabilities.Permitted() >> SysPtrace & 1) != 0) _ = Libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }

    /// <summary>The rights taken by <see cref="Raise"/>, until disposed of.</summary>
    public readonly struct Raised : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => Lower();
    }
}
