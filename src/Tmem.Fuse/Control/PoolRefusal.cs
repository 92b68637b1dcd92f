using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Control;

/// <summary>
/// Explains why the file system refused an operation on a pool: each error number has few possible reasons here, and each reason
/// a remedy of its own. Faults of the parameters alone were reported before (<see cref="PoolMethods"/>).
/// </summary>
internal static class PoolRefusal
{
    /// <summary>The answer.</summary>
    /// <param name="tmemctl">Command lines that address this daemon.</param>
    /// <param name="name">The pool.</param>
    /// <param name="what">The refused operation: "be destroyed".</param>
    /// <param name="errno">Why.</param>
    /// <param name="most">For a reserve: the most that could be reserved; else null.</param>
    /// <param name="holders">The processes that have its files open, as far as they can be seen.</param>
    public static RpcAnswer Of(ControlCommand tmemctl, string name, string what, Errno errno, long? most,
        IReadOnlyList<string>? holders = null)
    {
        var (code, why, remedy) = errno switch
        {
            // It was in the list a moment ago: the list shows another name than its real one.
            Errno.ENOENT when name.Contains(PoolName.NoUtf8) => (ControlErrorCode.InvalidParameters,
                "its name is not UTF-8, so it cannot be named here",
                "reach it through the mount: rename its directory with 'mv', or remove it with 'rm -r'"),
            Errno.ENOENT or Errno.ESTALE => (ControlErrorCode.NotFound, "it does not exist any more",
                $"see '{tmemctl.Line("pool list")}'"),
            Errno.EEXIST => (ControlErrorCode.Exists, "the name is taken", "choose another name, or destroy the old one first"),
            Errno.ENOTEMPTY => (ControlErrorCode.NotEmpty, "it holds files", "remove them, or force it (--force)"),
            Errno.EBUSY when holders is { Count: > 0 } => (ControlErrorCode.Busy,
                "files of it are open: " + string.Join(", ", holders), "close them" + IfSwap(tmemctl, name)),
            Errno.EBUSY => (ControlErrorCode.Busy, "a file of it is open", "close it; who has it open cannot be seen from the "
                + "daemon" + IfSwap(tmemctl, name)),
            Errno.ENOSPC or Errno.ENOMEM or Errno.EDQUOT when most is { } fits => (ControlErrorCode.NoRoom,
                "the store has not so much room beside what is stored and reserved",
                $"{(Typed(fits) is { } typed ? $"reserve at most {typed}, " : "")}free memory in the store, or start tmemd with "
                + "more --capacity"),
            Errno.ENOSPC or Errno.ENOMEM or Errno.EDQUOT => (ControlErrorCode.NoRoom,
                "the store has no room for it beside what is stored and reserved",
                "free memory in the store, or start tmemd with more --capacity"),
            Errno.EINVAL => (ControlErrorCode.InvalidParameters,
                "the store has no pools of this kind with this limit and reserve", "leave --limit and --reserve out"),
            Errno.ENAMETOOLONG => (ControlErrorCode.InvalidParameters, "its name is too long", "use a shorter name"),
            Errno.EIO => (ControlErrorCode.Internal, "what the store keeps about it is damaged",
                $"'{tmemctl.Line("check")}' names what is"),
            _ => (ControlErrorCode.Internal, "an unexpected error", "look at the daemon's log"),
        };
        return RpcAnswer.Fail(code, $"pool '{name}' cannot {what}: {why} ({errno})", name, remedy);
    }

    /// <summary>The largest size that fits, as it is typed; null if negligible.</summary>
    private static string? Typed(long fits)
    {
        // The pool itself, its directory and its table, take a little.
        const long own = 64 << 10, fine = 64 << 10, coarse = 1 << 20;
        fits -= own;
        fits -= fits % (fits < 16 * coarse ? fine : coarse);
        return fits <= 0 ? null : ByteSize.Exact(fits);
    }

    /// <summary>Empty on a machine without any swap: a hint at swap would mislead.</summary>
    private static string IfSwap(ControlCommand tmemctl, string name) =>
        HasSwap() ? $"; if swap is on it, with '{tmemctl.Line("swap off", name)}'" : "";

    private static bool HasSwap() => KernelFile.TryRead("/proc/swaps") is not { } swaps || swaps.Contains('\n');
}
