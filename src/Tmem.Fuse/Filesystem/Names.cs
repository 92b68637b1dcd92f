using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Names and what they refer to: lookup and checks, and the changes that operations are made of, in which an entry, its
/// directory's tree, its inode and a running check change together. The caller holds the namespace lock.
/// </summary>
internal sealed class Names(
    RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index, LinkTargets targets, PoolTable pools,
    RunningCheck check, KernelReferences kernel, DeadInodes dead)
{
    /// <summary>What a name in a directory refers to. ENOENT; EIO as <see cref="Follow"/>.</summary>
    public Errno Find(
        NodeId parent, ReadOnlySpan<byte> name, out RecordRef directory, out RecordRef entry, out RecordRef inode)
    {
        entry = inode = RecordRef.None;
        var error = inodes.ResolveDirectory(parent, out directory);
        return error == Errno.Ok ? Find(directory, name, out entry, out inode) : error;
    }

    /// <inheritdoc cref="Find(NodeId, ReadOnlySpan{byte}, out RecordRef, out RecordRef, out RecordRef)"/>
    public Errno Find(RecordRef directory, ReadOnlySpan<byte> name, out RecordRef entry, out RecordRef inode)
    {
        inode = RecordRef.None;
        entry = index.Find(directory, name);
        return entry.IsNone ? Errno.ENOENT : Follow(entry, out inode);
    }

    /// <summary>What a name refers to; EIO if either is damaged, or the inode was lost.</summary>
    public Errno Follow(RecordRef entry, out RecordRef inode)
    {
        inode = RecordRef.None;
        if (!RecordSum.EntryHolds(records, entry)) return Errno.EIO;
        inode = ChildOf(entry);
        return inodes.IsWhole(inode) && inode != inodes.Root ? Errno.Ok : Errno.EIO;
    }

    /// <summary>
    /// Whether a name may be made in a directory: ENOENT in a removed one or in a pool that is ending, EEXIST, ENAMETOOLONG.
    /// </summary>
    public Errno MayMake(RecordRef directory, ReadOnlySpan<byte> name)
    {
        if (inodes[directory].Links == 0) return Errno.ENOENT;
        if (directory != inodes.Root && pools.Find(inodes[directory].Pool) is null) return Errno.ENOENT;
        if (name.Length > DirectoryIndex.MaximumName) return Errno.ENAMETOOLONG;
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8)) return Errno.EEXIST;
        return index.Find(directory, name).IsNone ? Errno.Ok : Errno.EEXIST;
    }

    /// <summary>
    /// Makes an inode and its name, in the pool of its directory. On success the operation is under way in the journal, and the
    /// caller concludes it.
    /// </summary>
    /// <param name="device">A device's number; else 0.</param>
    /// <param name="target">A symbolic link's target; else empty.</param>
    public Errno Make(
        in Caller caller, RecordRef directory, ReadOnlySpan<byte> name, uint mode, uint device, ReadOnlySpan<byte> target,
        out RecordRef inode)
    {
        ref var parent = ref inodes[directory];
        return Make(caller, directory, name, mode, device, target, new PoolId(parent.Pool), parent.Flags & InodeFlags.Ephemeral,
            out inode);
    }

    /// <summary>As the other overload, in any pool.</summary>
    public Errno Make(
        in Caller caller, RecordRef directory, ReadOnlySpan<byte> name, uint mode, uint device, ReadOnlySpan<byte> target,
        PoolId pool, InodeFlags flags, out RecordRef inode)
    {
        inode = RecordRef.None;
        var error = MayMake(directory, name);
        if (error != Errno.Ok) return error;
        ref var parent = ref inodes[directory];
        var gid = caller.Gid;
        if ((parent.Mode & InodeMode.SetGroupId) != 0)
        {
            gid = parent.Gid;
            if ((mode & InodeMode.TypeMask) == InodeMode.Directory) mode |= InodeMode.SetGroupId;
        }
        RecordRef targetRecord = default, entry = default;
        var status = inodes.Prepare(mode, caller.Uid, gid, pool, flags, out inode);
        if (status == TmemStatus.Ok && !target.IsEmpty) status = targets.Prepare(inode, target, out targetRecord);
        if (status == TmemStatus.Ok) status = index.Prepare(directory, inode, name, out entry);
        if (status != TmemStatus.Ok)
        {
            if (!targetRecord.IsNone) records.Free(targetRecord);
            if (!inode.IsNone) records.Free(inode);
            inode = RecordRef.None;
            return StatusErrno.Of(status);
        }
        inodes[inode].Device = device;
        journal.Begin();
        if (!targetRecord.IsNone) journal.Publish(targetRecord);
        inodes.Publish(inode, journal);
        check.Added(inode);
        Publish(directory, entry);
        inodes.Named(directory, inode);
        return Errno.Ok;
    }

    /// <summary>Makes a prepared entry a name, within an operation under way.</summary>
    public void Publish(RecordRef directory, RecordRef entry)
    {
        journal.Publish(entry);
        index.Insert(entry);
        var child = ChildOf(entry);
        inodes[child].Entry = entry.Value;
        check.Added(entry, child);
        inodes.TouchNames(directory);
    }

    /// <summary>Takes a name away, within an operation under way.</summary>
    public void Withdraw(RecordRef directory, RecordRef entry)
    {
        Take(entry, ChildOf(entry));
        journal.Retire(entry);
        inodes.TouchNames(directory);
    }

    /// <summary>Points a name to another inode, within an operation under way.</summary>
    public void Switch(RecordRef entry, RecordRef before, RecordRef after)
    {
        check.Removed(entry, before);
        check.Added(entry, after);
        index.Switch(entry, after, journal);
        if (inodes[before].Entry == entry.Value) inodes[before].Entry = 0;
        inodes[after].Entry = entry.Value;
    }

    /// <summary>Unlinks an entry from the tree and the counts. The caller retires or frees the record.</summary>
    public void Take(RecordRef entry, RecordRef inode)
    {
        check.Removed(entry, inode);
        index.Remove(entry);
        if (inodes.IsWhole(inode) && inodes[inode].Entry == entry.Value) inodes[inode].Entry = 0;
    }

    /// <summary>Takes a name away, which is the whole operation. Returns the inode if it is dead now.</summary>
    public RecordRef Remove(in Caller caller, RecordRef directory, RecordRef entry)
    {
        var inode = ChildOf(entry);
        journal.Begin();
        Withdraw(directory, entry);
        kernel.Conclude(caller);
        return Drop(directory, inode);
    }

    /// <summary>Counts a lost name of an inode. Returns the inode if it is dead now.</summary>
    public RecordRef Drop(RecordRef directory, RecordRef inode)
    {
        inodes.Unnamed(directory, inode);
        inodes.TouchChange(inode);
        return dead.IfDead(inode);
    }

    private RecordRef ChildOf(RecordRef entry) => new(records.Get<EntryRecord>(entry).Child);
}
