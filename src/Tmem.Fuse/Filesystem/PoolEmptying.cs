using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Empties a pool: another directory takes its name, in one operation of the journal, and the old one, nameless and held, is
/// removed as that of a destroyed pool is, by this process or the next. So a pool is full or empty whenever a kill comes, and the
/// kernel, which asks for a pool's name each time, never shows a name that is gone. To unlink the names one by one was
/// considered: the kernel remembers names below a pool, and would go on showing them.
/// </summary>
internal sealed class PoolEmptying(
    NamespaceLock namespaceLock, TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index,
    ExtendedAttributes attributes, PoolTable pools, Names names, RunningCheck check, KernelReferences kernel, Removals removals,
    StaleNames stale)
{
    /// <summary>What the new directory has of the old one's flags.</summary>
    private const InodeFlags Inherited = InodeFlags.Lasting | InodeFlags.Swap;

    /// <inheritdoc cref="IPoolDirectory.EmptyPool"/>
    public Errno Empty(string name, out long pages)
    {
        pages = 0;
        if (PoolDirectories.EncodeName(name, out var bytes) != Errno.Ok) return Errno.ENOENT;
        try
        {
            Errno error;
            RecordRef old;
            PoolId pool;
            ulong before;
            // Without room for a directory, files go first, one by one: they are to go in any case.
            do error = TryExchange(bytes, out old, out pool, out before);
            while (error == Errno.ENOSPC && (removals.DropSome() || RemoveOne(old, ref pages)));
            if (error != Errno.Ok) return error;
            pages += DropPages(pool, before);
            if (!old.IsNone) removals.Remove(old);
            stale.TellAll(inodes.Root, bytes);
            return Errno.Ok;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    /// <param name="old">The directory that lost its name, or (ENOSPC) still has it; none if it was empty.</param>
    /// <param name="pool">The pool.</param>
    /// <param name="before">Files of the pool with a lower generation are gone.</param>
    private Errno TryExchange(ReadOnlySpan<byte> name, out RecordRef old, out PoolId pool, out ulong before)
    {
        (pool, before) = (default, 0);
        using var held = namespaceLock.Enter();
        var error = names.Find(inodes.Root, name, out var entry, out old);
        if (error != Errno.Ok) return error;
        if (pools.Of(old, in inodes[old]) is not { } state) return Errno.ENOENT;
        if (state.OpenFiles > 0) return Errno.EBUSY;
        pool = state.Id;
        if (index.IsEmpty(old))
        {
            // Pages of files that the kernel remembers, though their names are gone.
            before = inodes.Volume.Counter + 1;
            old = RecordRef.None;
            return Errno.Ok;
        }
        error = Prepare(old, pool, out var directory);
        if (error != Errno.Ok) return error;
        before = inodes[directory].Generation;
        inodes[old].Raise(InodeFlags.Held);
        journal.Begin();
        inodes.Publish(directory, journal);
        check.Added(directory);
        names.Switch(entry, old, directory);
        kernel.Conclude(default);
        // First the new name: the root's count never passes through one that is too low.
        inodes.Named(inodes.Root, directory);
        names.Drop(inodes.Root, old);
        inodes.TouchNames(inodes.Root);
        state.Directory = directory;
        pools.Ending++;
        return Errno.Ok;
    }

    /// <summary>A directory like another: owner, mode, extended attributes. Not committed: a kill leaves nothing of it.</summary>
    private Errno Prepare(RecordRef old, PoolId pool, out RecordRef directory)
    {
        ref var like = ref inodes[old];
        var status = inodes.Prepare(like.Mode, like.Uid, like.Gid, pool, like.Flags & Inherited, out directory);
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        var error = attributes.CopyAll(old, directory);
        if (error == Errno.Ok) return Errno.Ok;
        attributes.FreeAll(directory);
        records.Free(directory);
        return error;
    }

    /// <summary>
    /// Drops the pages of what was removed, whether the kernel remembers the files or not; none is open. Later files have higher
    /// generations, which their objects are named by.
    /// </summary>
    private long DropPages(PoolId pool, ulong before)
    {
        var pages = 0L;
        if (client.PoolInfo(pool, out _) != TmemStatus.Ok) return pages;
        foreach (var contents in client.EnumerateObjects(pool))
            if (contents.Word1 < before && client.FlushRange(pool, contents, 0, uint.MaxValue, out var flushed) == TmemStatus.Ok)
                pages += flushed;
        return pages;
    }

    /// <summary>Removes some names below a directory, and the pages of a file among them. False if there was none.</summary>
    private bool RemoveOne(RecordRef directory, ref long pages)
    {
        if (!removals.RemoveOne(directory, out var file)) return false;
        if (file is { } contents && client.FlushRange(contents.Pool, contents.Object, 0, uint.MaxValue, out var flushed)
            == TmemStatus.Ok) pages += flushed;
        return true;
    }
}
