using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Which files the kernel keeps pages of, as far as it matters: of these, a write that goes round its page cache (O_DIRECT, or a
/// loop device that does) is not answered before the kernel has let go of what it overwrites. The kernel itself does so when it
/// submits such a write, and a reader may bring the old pages back before the write is here.
/// <para>
/// A count in the inode, so that a file that is used one way only pays nothing, and one that once was read by name (a backup of a
/// swap file) pays for some thousand writes and then no longer. Each request of the page cache sets it high; each write round it
/// counts it down. Half way down the kernel is told to let go of the whole file, so that nothing is kept of it when the count is
/// 0: who comes after that half is answered after it. What brings a page in sets the count before it reads, under the latch that
/// the write stores under; so either it reads what was written, or the write sees the count.
/// </para>
/// <para>
/// Open handles are not asked: a loop device writes round the cache through one that was opened without O_DIRECT, and pages stay
/// when the last is closed. Every direct request names the owner of its locks, none of the page cache does; they must be told
/// apart, for the kernel holds the pages of a write by way of the cache until it is answered.
/// </para>
/// </summary>
internal static class PageCacheTrace
{
    /// <summary>FUSE_READ_LOCKOWNER and FUSE_WRITE_LOCKOWNER.</summary>
    private const uint LockOwner = 2;

    /// <summary>
    /// More than there can be in flight, twice: the kernel sends 256 of these writes at a time, and one for each thread that
    /// waits for its own.
    /// </summary>
    private const uint High = 8192;
    private const uint Half = High / 2;

    public static bool IsDirect(uint flags) => (flags & LockOwner) != 0;

    /// <summary>A request of the page cache: before it reads or writes.</summary>
    public static void Keep(ref InodeRecord inode)
    {
        // Not written if it is so already: a read changes nothing.
        if (Volatile.Read(ref inode.Kept) != High) Volatile.Write(ref inode.Kept, High);
    }

    /// <summary>Whether the kernel may keep pages of it.</summary>
    public static bool IsKept(in InodeRecord inode) => Volatile.Read(in inode.Kept) != 0;

    /// <summary>A write round the page cache: after it is stored. What its answer waits for.</summary>
    public static Deferral LetGo(ref InodeRecord inode, NodeId node, ulong offset, uint written)
    {
        var kept = Volatile.Read(ref inode.Kept);
        if (kept == 0 || written == 0) return default;
        // Lost to another count, or to one who sets it high: it is counted next time.
        _ = Interlocked.CompareExchange(ref inode.Kept, Math.Min(kept, High) - 1, kept);
        return kept == Half ? Deferral.AllInvalidated(node, written) : Deferral.Invalidated(node, offset, written);
    }
}
