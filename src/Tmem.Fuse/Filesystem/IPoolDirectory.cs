using Tmem.Engine;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>A pool as the file system shows it: a first-level directory.</summary>
/// <param name="Name">The directory's.</param>
/// <param name="Id">The pool's number.</param>
/// <param name="Options">Kind, limit, codec.</param>
/// <param name="ForSwap">Whether it was made for swap.</param>
/// <param name="Owner">Whose the directory is.</param>
/// <param name="Mode">Its permission bits.</param>
/// <param name="HoldsSwap">Whether it was made for swap, has the mark of a swap file, or a file of that name.</param>
internal sealed record NamedPool(
    string Name, PoolId Id, PoolOptions Options, bool ForSwap = false, PoolOwner Owner = default, uint Mode = 0,
    bool HoldsSwap = false);

/// <summary>User and group of a pool's directory.</summary>
internal readonly record struct PoolOwner(uint User, uint Group);

/// <summary>What is to be changed of a pool; null leaves it as it is. 0 is no limit and no reserve.</summary>
internal readonly record struct PoolChange(
    long? Limit = null, long? Reserve = null, TmemCodec? Codec = null, uint? Owner = null, uint? Group = null, uint? Mode = null);

/// <summary>The file system as the management API uses it.</summary>
internal interface IPoolDirectory
{
    /// <summary>
    /// Makes a first-level directory for a pool of the given kind. EEXIST, ENAMETOOLONG, EINVAL (bad name or options), ENOSPC.
    /// One that is made for swap is so for ever; nothing that is done in the mount can make a pool so.
    /// </summary>
    Errno CreatePool(
        string name, in PoolOptions options, uint mode, out PoolId id, bool forSwap = false, PoolOwner owner = default);

    /// <summary>
    /// Changes settings of a pool, all or none of them. ENOENT; EINVAL if it cannot have them; ENOSPC if a reserve does not fit.
    /// A process that dies meanwhile may have changed some.
    /// </summary>
    Errno ChangePool(string name, in PoolChange change);

    /// <summary>
    /// Removes all that a pool holds, and leaves the pool with its settings. Its directory is another one then, which is empty at
    /// once, also after a kill; pages and names go in steps. ENOENT; EBUSY if a file of it is open; ENOSPC if there is no room
    /// for a directory even when all files are gone.
    /// </summary>
    /// <param name="pages">Pages dropped.</param>
    Errno EmptyPool(string name, out long pages);

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
