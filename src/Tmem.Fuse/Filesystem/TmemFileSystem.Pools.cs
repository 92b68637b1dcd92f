using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Pools: a first-level directory each. The pool is made before its directory and ended after it, so that a crash leaves at most
/// a pool without a directory, which recovery ends; with it go the files below a directory that has lost its name.
/// </summary>
internal sealed partial class TmemFileSystem
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public Errno CreatePool(string name, in PoolOptions options, uint mode, out PoolId id)
    {
        id = default;
        // What is made by name can be shown. mkdir takes any name, and what it made can be named below.
        if (name.Any(char.IsControl)) return Errno.EINVAL;
        var error = EncodeName(name, out var bytes);
        if (error != Errno.Ok) return error;
        // The kernel may drop its copy of a page without a word, so a read must not consume ours.
        var shared = (options.Flags & PoolFlags.Persistent) == 0 ? options with { Flags = options.Flags | PoolFlags.Shared }
            : options;
        try
        {
            error = TryCreatePool(bytes, mode, in shared, out id);
            // The room of what was removed counts as free, even while it is still being dropped.
            while (error == Errno.ENOSPC && DropSome()) error = TryCreatePool(bytes, mode, in shared, out id);
            return error;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    private Errno TryCreatePool(ReadOnlySpan<byte> name, uint mode, in PoolOptions options, out PoolId id)
    {
        id = default;
        lock (_names)
        {
            var error = MakePool(default, name, InodeMode.Directory | (mode & InodeMode.PermissionMask), options,
                out var directory);
            if (error != Errno.Ok) return error;
            Conclude(default);
            id = new PoolId(_inodes[directory].Pool);
            return Errno.Ok;
        }
    }

    /// <inheritdoc/>
    public Errno ReservePool(string name, long bytes)
    {
        if (EncodeName(name, out var encoded) != Errno.Ok) return Errno.ENOENT;
        var reserved = TryReserve(encoded, bytes);
        while (reserved == Errno.ENOSPC && DropSome()) reserved = TryReserve(encoded, bytes);
        return reserved;
    }

    private Errno TryReserve(ReadOnlySpan<byte> name, long bytes)
    {
        lock (_names)
        {
            var entry = _index.Find(_inodes.Root, name);
            if (entry.IsNone) return Errno.ENOENT;
            if (Follow(entry, out var directory) is var error and not Errno.Ok) return error;
            if (PoolOf(directory) is not { } pool) return Errno.ENOENT;
            return StatusErrno.Of(_client.Reserve(pool.Id, bytes));
        }
    }

    /// <inheritdoc/>
    public Errno DestroyPool(string name, bool force)
    {
        if (EncodeName(name, out var bytes) != Errno.Ok) return Errno.ENOENT;
        try
        {
            var error = TakeOff(bytes, force, out var directory, out var pool);
            if (error != Errno.Ok) return error;
            if (pool is not null) _client.DestroyPool(pool.Id);
            RemoveTree(directory);
            return Errno.Ok;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>
    /// Takes a pool's directory away, which is held from then on: the rest is done without the lock, by <see cref="RemoveTree"/>
    /// or by the next process.
    /// </summary>
    private Errno TakeOff(byte[] name, bool force, out RecordRef directory, out PoolState? pool)
    {
        pool = null;
        lock (_names)
        {
            directory = RecordRef.None;
            var entry = _index.Find(_inodes.Root, name);
            if (entry.IsNone) return Errno.ENOENT;
            var error = Follow(entry, out directory);
            if (error != Errno.Ok) return error;
            pool = PoolOf(directory);
            if (pool is { OpenFiles: > 0 }) return Errno.EBUSY;
            if (!force && !_index.IsEmpty(directory)) return Errno.ENOTEMPTY;
            _inodes[directory].Raise(InodeFlags.Held);
            try
            {
                RemoveDirectoryEntry(default, _inodes.Root, entry);
            }
            catch (DamagedRecordException)
            {
                _inodes[directory].Lower(InodeFlags.Held);
                throw;
            }
            if (pool is not null) _pools.Remove(pool);
            _pools.Ending++;
            return Errno.Ok;
        }
    }

    /// <summary>
    /// How many times files of all pools are open now, as the kernel has told: an open device counts as much as a process.
    /// </summary>
    public long OpenFiles()
    {
        lock (_names) return _pools.All().Sum(pool => pool.OpenFiles);
    }

    /// <inheritdoc/>
    public IReadOnlyList<NamedPool> Pools()
    {
        var named = new List<NamedPool>();
        try
        {
            lock (_names)
            {
                for (var at = _index.Next(_inodes.Root, 0); !at.IsNone; at =
                    _index.Next(_inodes.Root, _records.Get<EntryRecord>(at).Key + 1))
                    if (Follow(at, out var directory) == Errno.Ok && PoolOf(directory) is { } pool)
                        named.Add(new NamedPool(Encoding.UTF8.GetString(_index.Name(at)), pool.Id, pool.Options));
            }
        }
        catch (DamagedRecordException)
        {
            // Those beyond the damage cannot be reached; a check names it.
        }
        named.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
        return named;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Verify()
    {
        lock (_checking)
        {
            var check = new RunningCheck(_records, _inodes);
            lock (_names) _check = check;
            try
            {
                return new FileSystemVerifier(
                    _client, _records, _journal, _inodes, _index, _attributes, _pools, _data, check, _steps, _names, PathOf, () =>
                        _dying).Run();
            }
            finally
            {
                lock (_names) _check = null;
            }
        }
    }

    /// <summary>Makes a pool and its directory; as <see cref="MakeInode"/>, the caller concludes.</summary>
    private Errno MakePool(in Caller caller, ReadOnlySpan<byte> name, uint mode, in PoolOptions options, out RecordRef directory)
    {
        directory = RecordRef.None;
        var error = CheckNewName(_inodes.Root, name);
        if (error != Errno.Ok) return error;
        // A file's page n is its bytes from 4096 n on, of which any part can be read.
        if (options.Flags.PageSize() != FilePages.PageSize || (options.Flags & PoolFlags.Precompressed) != 0) return Errno.EINVAL;
        var status = _client.NewPool(options, out var id);
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        // What is made below inherits whether pages may vanish.
        var flags = InodeFlags.PoolDirectory | ((options.Flags & PoolFlags.Persistent) == 0 ? InodeFlags.Ephemeral : 0);
        error = MakeInode(caller, _inodes.Root, name, mode, 0, id, flags, default, out directory);
        if (error != Errno.Ok)
        {
            _client.DestroyPool(id);
            return error;
        }
        _pools.Add(new PoolState(id, options, directory));
        return Errno.Ok;
    }

    /// <summary>
    /// Takes a pool off the file system: nothing more is made in it. Under the namespace lock; <see cref="EndPool"/> follows.
    /// </summary>
    private void Disown(PoolState pool)
    {
        _pools.Remove(pool);
        _pools.Ending++;
    }

    /// <summary>Empties a disowned pool, which takes as long as it holds pages: without the namespace lock.</summary>
    private void EndPool(PoolState pool)
    {
        _client.DestroyPool(pool.Id);
        lock (_names) _pools.Ending--;
    }

    /// <summary>A pool's name as bytes: EINVAL for one that could not be a directory's, ENAMETOOLONG.</summary>
    private static Errno EncodeName(string name, out byte[] bytes)
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
        return bytes.Length > MaximumName ? Errno.ENAMETOOLONG : Errno.Ok;
    }
}
