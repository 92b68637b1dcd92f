using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Keeps the daemon itself out of swap: if one of its pages had to be swapped in, it would wait for itself. All that is mapped,
/// now and later, is locked and populated; only the store's region is mapped while <see cref="BeginSparse"/> holds, which locks
/// its pages as they are first touched, because populating the whole capacity at once would take memory that nobody uses yet.
/// </summary>
internal sealed class LockedMemory
{
    /// <summary>False when the system refused: then everything else does nothing.</summary>
    public bool IsLocked { get; private init; }

    /// <summary>Locks the process. A refusal is one warning.</summary>
    public static LockedMemory Lock()
    {
        if (Libc.mlockall(Libc.MCL_CURRENT | Libc.MCL_FUTURE) == 0) return new LockedMemory { IsLocked = true };
        var error = Libc.LastError;
        Log.Warning(
            $"The daemon cannot be locked in memory: {Libc.Describe(error)}. Swapping to it can then deadlock the machine: "
            + "run tmemd as root, or give it CAP_IPC_LOCK.");
        return new LockedMemory();
    }

    /// <summary>From here, mappings are locked page by page as they are touched.</summary>
    public void BeginSparse() => SetFuture(Libc.MCL_FUTURE | Libc.MCL_ONFAULT);

    /// <summary>From here, mappings are locked and populated whole again.</summary>
    public void EndSparse() => SetFuture(Libc.MCL_FUTURE);

    private void SetFuture(int flags)
    {
        if (!IsLocked || Libc.mlockall(flags) == 0) return;
        var error = Libc.LastError;
        throw new StartupException($"mlockall refused a change it should allow: {Libc.Describe(error)}.");
    }
}
