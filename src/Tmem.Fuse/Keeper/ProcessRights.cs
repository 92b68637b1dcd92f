using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The rights of a daemon's processes, no more than each needs. A process begins with what <see cref="BeginWithLess"/> left;
/// the founder gives up, once all files are open, what its successors never need; and the threads of a worker do without what
/// only a stop needs (<see cref="Lower"/>, <see cref="Raise"/>).
/// <list type="table">
/// <item>CAP_IPC_LOCK: every mapping of a locked process, always.</item>
/// <item>CAP_SYS_NICE: a place before others on the processor, always.</item>
/// <item>CAP_SYS_ADMIN: mount, and to unmount in a stop. A worker keeps it in reserve, because its keeper may be dead, and it
/// must be able to make another.</item>
/// <item>CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH: to name in a stop who holds the mount, and to see that a worker's last thread has
/// ended.</item>
/// <item>CAP_SYS_RESOURCE: to be spared by the out-of-memory killer; at the start only. CAP_DAC_OVERRIDE: the region's file; at
/// the start only.</item>
/// </list>
/// A system that grants less is served as far as it goes: each of these warns where it matters.
/// </summary>
internal static unsafe class ProcessRights
{
    private const int DacOverride = 1;
    private const int DacReadSearch = 2;
    private const int IpcLock = 14;
    private const int SysPtrace = 19;
    private const int SysAdmin = 21;
    private const int SysNice = 23;
    private const int SysResource = 24;
    private const int LastCapability = 63;

    private const ulong Always = (1UL << IpcLock) | (1UL << SysNice);
    private const ulong InReserve = (1UL << SysAdmin) | (1UL << SysPtrace) | (1UL << DacReadSearch);
    private const ulong AtTheStart = (1UL << SysResource) | (1UL << DacOverride);

    private const int PR_SET_DUMPABLE = 4;
    private const int PR_CAPBSET_DROP = 24;
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const int PR_CAP_AMBIENT = 47;
    private const int PR_CAP_AMBIENT_CLEAR_ALL = 4;
    private const int RLIMIT_CORE = 4;

    /// <summary>
    /// Before a program is executed that is to be a daemon: it and all that it starts can never have more than this, whatever
    /// they execute.
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
    /// Before the same: what its caller happened to have open is none of its business, and a mount that is busy because of it
    /// no fun. The standard three stay; one that is closed leads nowhere from then on, lest a device get its number and the log
    /// with it.
    /// </summary>
    public static void BeginWithStandardDescriptors()
    {
        const int standard = 3;
        for (var descriptor = 0; descriptor < standard; descriptor++)
        {
            // What the runtime has opened meanwhile goes when the program is executed.
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
    /// Gives up for good what only a start needs; of the calling thread, and of those and the processes that it starts.
    /// </summary>
    public static void EndStart() => Capabilities.Keep(Always | InReserve, Always | InReserve);

    /// <summary>
    /// Does without what is in reserve; the calling thread, and those that it starts, until one of them asks for it.
    /// </summary>
    public static void Lower() => Capabilities.Keep(Always, Always | InReserve);

    /// <summary>Gives up all rights; for a thread that carries lines and nothing else.</summary>
    public static void GiveUp() => Capabilities.Keep(0, 0);

    /// <summary>Takes what is in reserve, for the calling thread, until it is disposed.</summary>
    public static Raised Raise()
    {
        Capabilities.Keep(Always | InReserve, Always | InReserve);
        return default;
    }

    /// <summary>
    /// No core dump has this process's memory in it, which is other processes' memory; and nobody without rights looks into it.
    /// Where the process has no right to look into others (CAP_SYS_PTRACE: containers mostly lack it), it could not be seen to
    /// end either: then only its dumps are prevented.
    /// </summary>
    public static void KeepMemoryToSelf()
    {
        // 1 and not 0: with that, a dump is not piped to a program either.
        var limit = stackalloc ulong[2] { 1, 1 };
        _ = NativeProcess.setrlimit(RLIMIT_CORE, limit);
        if ((Capabilities.Permitted() >> SysPtrace & 1) != 0) _ = Libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }

    /// <summary>What <see cref="Raise"/> took, as long as it is needed.</summary>
    public readonly struct Raised : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => Lower();
    }
}
