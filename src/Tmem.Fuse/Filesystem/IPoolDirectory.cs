using Tmem.Engine;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>A pool as the file system shows it: a first-level directory.</summary>
/// <param name="Name">The directory's.</param>
/// <param name="Id">The pool's number.</param>
/// <param name="Options">Kind, limit, reserve.</param>
/// <param name="ForSwap">Whether it was made for swap.</param>
internal sealed record NamedPool(string Name, PoolId Id, PoolOptions Options, bool ForSwap = false);

/// <summary>The file system as the management API uses it.</summary>
internal interface IPoolDirectory
{
    /// <summary>
    /// Makes a first-level directory for a pool of the given kind. EEXIST, ENAMETOOLONG, EINVAL (bad name or options), ENOSPC.
    /// One that is made for swap is so for ever; nothing that is done in the mount can make a pool so.
    /// </summary>
    Errno CreatePool(string name, in PoolOptions options, uint mode, out PoolId id, bool forSwap = false);

    /// <summary>
    /// Sets a pool's reserve, 0 for none. ENOENT; EINVAL if it cannot have such a reserve; ENOSPC if that does not fit.
    /// </summary>
    Errno ReservePool(string name, long bytes);

    /// <summary>
    /// Destroys a pool. ENOENT; ENOTEMPTY if it holds files, unless <paramref name="force"/>; EBUSY if a file of it is open,
    /// forced or not.
    /// </summary>
    Errno DestroyPool(string name, bool force);

    /// <summary>All pools in name order.</summary>
    IReadOnlyList<NamedPool> Pools();

    /// <summary>Names the file that a page belongs to: a path of it, its inode and its pool; or why there is no file.</summary>
    string FileOf(in PageHandle page);

    /// <summary>
    /// Cross-checks names, inodes, attributes and the engine's objects; one sentence a problem. Safe while others work.
    /// </summary>
    IReadOnlyList<string> Verify();
}
