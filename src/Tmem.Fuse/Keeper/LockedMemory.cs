using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Keeps the daemon itself out of swap: a page of its own that had to be swapped in would wait for the daemon itself. All
/// mappings, present and future, are locked and populated; only the store's region is mapped within <see cref="BeginSparse"/>,
/// which locks pages as they are first touched, because populating the whole capacity at once would take memory that is not used
/// yet.
/// </summary>
internal sealed class LockedMemory
{
    /// <summary>False when the system refused: then all methods do nothing.</summary>
    public bool IsLocked => Warning is null;

    /// <summary>What to warn of when the system refused; else null.</summary>
    public string? Warning { get; private init; }

    /// <summary>Locks the process.</summary>
    public static LockedMemory Lock()
    {
        if (Libc.mlockall(Libc.MCL_CURRENT | Libc.MCL_FUTURE) == 0) return new LockedMemory();
        return new LockedMemory
        {
            Warning = $"The daemon cannot be locked in memory: {Libc.Describe(Libc.LastError)}. Swapping to it can then deadlock "
                + "the machine: run tmemd as root, or give it CAP_IPC_LOCK.",
        };
    }

    /// <summary>From here on, mappings are locked page by page as they are touched.</summary>
    public void BeginSparse() => SetFuture(Libc.MCL_FUTURE | Libc.MCL_ONFAULT);

    /// <summary>From here on, mappings are locked and populated whole again.</summary>
    public void EndSparse() => SetFuture(Libc.MCL_FUTURE);

    private void SetFuture(int flags)
    {
        if (!IsLocked || Libc.mlockall(flags) == 0) return;
        var error = Libc.LastError;
        throw new StartupException($"mlockall refused a change it should allow: {Libc.Describe(error)}.");
    }
}
