using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Tracks, as far as it matters, whether the kernel caches pages of a file: then a write that bypasses its page cache (O_DIRECT,
/// or a loop device with direct I/O) is not answered before the kernel has dropped the pages that it overwrites. The kernel
/// itself drops them when it submits such a write, but a reader may bring the old pages back before the write is stored.
/// <para>
/// The inode holds a count, so that a file that is used in one way only pays nothing, and one that was once read by name (a
/// backup of a swap file) pays for some thousand writes and then no longer. Each request of the page cache sets the count high;
/// each write that bypasses the cache counts it down. Half way down the kernel is asked to drop the whole file, so that it holds
/// nothing of it when the count is 0: later requests are answered after that drop. A request that brings a page into the cache
/// sets the count before it reads, under the latch that the write stores under; so either it reads the new page, or the write
/// sees the count.
/// </para>
/// <para>
/// Open handles do not tell: a loop device bypasses the cache through a handle that was opened without O_DIRECT, and pages stay
/// when the last handle is closed. Every direct request carries a lock owner, no request of the page cache does; they must be
/// told apart, as the kernel holds the pages of a write through the cache until it is answered.
/// </para>
/// </summary>
internal static class PageCacheTrace
{
    /// <summary>FUSE_READ_LOCKOWNER and FUSE_WRITE_LOCKOWNER.</summary>
    private const uint LockOwner = 2;

    /// <summary>
    /// Twice the most that can be in flight: the kernel sends 256 of these writes at a time, plus one for each thread that waits
    /// for its own.
    /// </summary>
    private const uint High = 8192;
    private const uint Half = High / 2;

    public static bool IsDirect(uint flags) => (flags & LockOwner) != 0;

    /// <summary>For a request of the page cache, before it reads or writes.</summary>
    public static void Keep(ref InodeRecord inode)
    {
        // Stored only if it changes: a read dirties nothing.
        if (Volatile.Read(ref inode.Kept) != High) Volatile.Write(ref inode.Kept, High);
    }

    /// <summary>Whether the kernel may hold pages of the file.</summary>
    public static bool IsKept(in InodeRecord inode) => Volatile.Read(in inode.Kept) != 0;

    /// <summary>For a write that bypasses the page cache, after it is stored. Returns what its reply waits for.</summary>
    public static Deferral LetGo(ref InodeRecord inode, NodeId node, ulong offset, uint written)
    {
        var kept = Volatile.Read(ref inode.Kept);
        if (kept == 0 || written == 0) return default;
        // If another count or a set high wins the race, the next write counts.
        _ = Interlocked.CompareExchange(ref inode.Kept, Math.Min(kept, High) - 1, kept);
        return kept == Half ? Deferral.AllInvalidated(node, written) : Deferral.Invalidated(node, offset, written);
    }
}
