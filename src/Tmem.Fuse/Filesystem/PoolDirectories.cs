using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Pools: a first-level directory each. The pool is made before its directory and destroyed after it, so that a crash leaves at
/// most a pool without a directory. Recovery destroys such a pool, with the files below a directory that has lost its name.
/// </summary>
internal sealed class PoolDirectories(
    NamespaceLock namespaceLock, TmemClient client, RecordStore records, InodeTable inodes, DirectoryIndex index,
    ExtendedAttributes attributes, PoolTable pools, Names names, KernelReferences kernel, Removals removals, StaleNames stale)
{
    /// <summary>As tmemctl calls the file and the mark: so it need not look into every pool.</summary>
    internal static ReadOnlySpan<byte> SwapFile => "swapfile"u8;
    internal static ReadOnlySpan<byte> SwapMark => "trusted.tmem.swap"u8;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <inheritdoc cref="IPoolDirectory.CreatePool"/>
    public Errno Create(
        string name, in PoolOptions options, uint mode, InodeFlags use, PoolOwner owner, out PoolId id)
    {
        id = default;
        // A pool made here has a printable name. mkdir takes any name, and the methods below accept such a name.
        if (name.Any(char.IsControl)) return Errno.EINVAL;
        var error = EncodeName(name, out var bytes);
        if (error != Errno.Ok) return error;
        // The kernel may drop its copy of a page at any time, so a read must not consume ours.
        var shared = (options.Flags & PoolFlags.Persistent) == 0 ? options with { Flags = options.Flags | PoolFlags.Shared }
            : options;
        try
        {
            // The room of removed files counts as free, even while their pages are still being dropped.
            do error = TryCreate(bytes, mode, use, owner, in shared, out id);
            while (error == Errno.ENOSPC && removals.DropSome());
            return error;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    private Errno TryCreate(
        ReadOnlySpan<byte> name, uint mode, InodeFlags use, PoolOwner owner, in PoolOptions options, out PoolId id)
    {
        id = default;
        using var held = namespaceLock.Enter();
        var error = Make(new Caller(owner.User, owner.Group, 0), name, InodeMode.Directory | (mode & InodeMode.PermissionMask),
            options, out var directory, use);
        if (error != Errno.Ok) return error;
        kernel.Conclude(default);
        id = new PoolId(inodes[directory].Pool);
        return Errno.Ok;
    }

    /// <inheritdoc cref="IPoolDirectory.DestroyPool"/>
    public Errno Destroy(string name, bool force)
    {
        if (EncodeName(name, out var bytes) != Errno.Ok) return Errno.ENOENT;
        try
        {
            var error = TakeOff(bytes, force, out var directory, out var pool);
            if (error != Errno.Ok) return error;
            if (pool is not null) client.DestroyPool(pool.Id);
            removals.Remove(directory);
            // Last, when nothing below it is left to be dropped while the kernel holds the root directory.
            stale.TellAll(inodes.Root, bytes);
            return Errno.Ok;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>
    /// Takes a pool's directory off its name and holds it: the rest is done without the lock, by <see cref="Removals.Remove"/> or
    /// by the next process.
    /// </summary>
    private Errno TakeOff(byte[] name, bool force, out RecordRef directory, out PoolState? pool)
    {
        pool = null;
        using var held = namespaceLock.Enter();
        var error = names.Find(inodes.Root, name, out var entry, out directory);
        if (error != Errno.Ok) return error;
        pool = pools.Of(directory, in inodes[directory]);
        if (pool is { OpenFiles: > 0 }) return Errno.EBUSY;
        if (!force && !index.IsEmpty(directory)) return Errno.ENOTEMPTY;
        inodes[directory].Raise(InodeFlags.Held);
        try
        {
            names.Remove(default, inodes.Root, entry);
        }
        catch (DamagedRecordException)
        {
            inodes[directory].Lower(InodeFlags.Held);
            throw;
        }
        Disown(pool);
        return Errno.Ok;
    }

    /// <summary>
    /// How many handles on files of all pools are open now, as the kernel has told: an open device counts as much as a process.
    /// </summary>
    public long OpenFiles()
    {
        using var held = namespaceLock.Enter();
        return pools.All().Sum(pool => pool.OpenFiles);
    }

    /// <inheritdoc cref="IPoolDirectory.Pools"/>
    public IReadOnlyList<NamedPool> List()
    {
        var named = new List<NamedPool>();
        try
        {
            using var held = namespaceLock.Enter();
            for (var at = index.Next(inodes.Root, 0); !at.IsNone; at =
                index.Next(inodes.Root, records.Get<EntryRecord>(at).Key + 1))
                if (names.Follow(at, out var directory) == Errno.Ok
                    && pools.Of(directory, in inodes[directory]) is { } pool)
                    named.Add(new NamedPool(Encoding.UTF8.GetString(index.Name(at)), pool.Id, pool.Options,
                        inodes[directory].Has(InodeFlags.Swap), new PoolOwner(inodes[directory].Uid, inodes[directory].Gid),
                        inodes[directory].Mode & InodeMode.PermissionMask, HoldsSwap(directory)));
        }
        catch (DamagedRecordException)
        {
            // Directories beyond the damage cannot be reached; a check names it.
        }
        named.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
        return named;
    }

    private bool HoldsSwap(RecordRef directory) => inodes[directory].Has(InodeFlags.Swap)
        || !attributes.Find(directory, SwapMark).IsNone || !index.Find(directory, SwapFile).IsNone;

    /// <summary>
    /// Makes a pool and its directory; as <see cref="Names.Make"/>, under the namespace lock, and the caller concludes.
    /// </summary>
    public Errno Make(in Caller caller, ReadOnlySpan<byte> name, uint mode, in PoolOptions options, out RecordRef directory,
        InodeFlags use = 0)
    {
        directory = RecordRef.None;
        var error = names.MayMake(inodes.Root, name);
        if (error != Errno.Ok) return error;
        // A file's page n is its bytes from 4096 n on, any part of which can be read.
        if (options.Flags.PageSize() != FilePages.PageSize || (options.Flags & PoolFlags.Precompressed) != 0) return Errno.EINVAL;
        var status = client.NewPool(options, out var id);
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        // Files made below inherit whether pages may vanish.
        var flags = InodeFlags.PoolDirectory | ((options.Flags & PoolFlags.Persistent) == 0 ? InodeFlags.Ephemeral : 0) | use;
        error = names.Make(caller, inodes.Root, name, mode, 0, default, id, flags, out directory);
        if (error != Errno.Ok)
        {
            client.DestroyPool(id);
            return error;
        }
        pools.Add(new PoolState(id, options, directory));
        return Errno.Ok;
    }

    /// <summary>
    /// Detaches a pool from the file system: no file can be made in it any more. Under the namespace lock; <see cref="End"/>
    /// follows.
    /// </summary>
    public void Disown(PoolState? pool)
    {
        if (pool is not null) pools.Remove(pool);
        pools.Ending++;
    }

    /// <summary>Destroys a disowned pool, in time linear in its pages: without the namespace lock.</summary>
    public void End(PoolState pool)
    {
        client.DestroyPool(pool.Id);
        using var held = namespaceLock.Enter();
        pools.Ending--;
    }

    /// <summary>Encodes a pool's name: EINVAL if it is no valid name of a directory, ENAMETOOLONG.</summary>
    public static Errno EncodeName(string name, out byte[] bytes)
    {
        bytes = [];
        if (string.IsNullOrEmpty(name) || name is "." or ".." || name.Contains('/', StringComparison.Ordinal))
            return Errno.EINVAL;
        try
        {
            bytes = StrictUtf8.GetBytes(name);
        }
        catch (EncoderFallbackException)
        {
            return Errno.EINVAL;
        }
        return bytes.Length > DirectoryIndex.MaximumName ? Errno.ENAMETOOLONG : Errno.Ok;
    }
}
