using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Names: looking up, making, linking, removing.</summary>
internal sealed partial class TmemFileSystem
{
    private const int MaximumName = DirectoryIndex.MaximumName;
    private const int MaximumTarget = 4095;

    public Errno Lookup(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, out FuseEntryOut entry)
    {
        entry = default;
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            if (error != Errno.Ok) return error;
            var found = _index.Find(directory, name);
            if (found.IsNone) return Errno.ENOENT;
            error = Follow(found, out var inode);
            if (error != Errno.Ok) return error;
            _journal.Begin();
            Conclude(caller, HandOut(directory, inode, out entry));
            return Errno.Ok;
        }
    }

    public Errno MakeDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, out FuseEntryOut entry)
    {
        entry = default;
        var type = InodeMode.Directory | (mode & InodeMode.PermissionMask);
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            if (error != Errno.Ok) return error;
            RecordRef inode;
            error = directory == _inodes.Root
                ? MakePool(caller, name, type, new PoolOptions(PoolFlags.Persistent), out inode)
                : MakeInode(caller, directory, name, type, 0, default, 0, default, out inode);
            if (error == Errno.Ok) Conclude(caller, HandOut(directory, inode, out entry));
            return error;
        }
    }

    public Errno MakeNode(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device,
        out FuseEntryOut entry)
    {
        entry = default;
        var type = mode & InodeMode.TypeMask;
        if (type == 0) type = InodeMode.Regular;
        // A device can be named and not opened: the mount is nodev, so a name here is no way around the rights of the real one.
        var isDevice = type is InodeMode.Character or InodeMode.Block;
        if (!isDevice && type is not (InodeMode.Regular or InodeMode.Fifo or InodeMode.Socket)) return Errno.EINVAL;
        return MakeEntry(caller, parent, name, type | (mode & InodeMode.PermissionMask), isDevice ? device : 0, default,
            out entry);
    }

    public Errno SymbolicLink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target,
        out FuseEntryOut entry)
    {
        entry = default;
        if (target.IsEmpty) return Errno.ENOENT;
        if (target.Length > MaximumTarget) return Errno.ENAMETOOLONG;
        return MakeEntry(caller, parent, name, InodeMode.SymbolicLink | 0x1FF, 0, target, out entry);
    }

    public Errno ReadLink(NodeId node, Span<byte> target, out int length)
    {
        length = 0;
        lock (_names)
        {
            var error = _inodes.Resolve(node, out var inode);
            if (error != Errno.Ok) return error;
            if (!_inodes[inode].IsSymbolicLink) return Errno.EINVAL;
            var record = new RecordRef(_inodes[inode].Target);
            if (!IsTarget(record, inode)) return Errno.EIO;
            var bytes = _records.Bytes(record)
                .Slice(Unsafe.SizeOf<TargetRecord>(), (int)_records.Get<TargetRecord>(record).Length);
            // As readlink(2) does: what fits.
            length = Math.Min(bytes.Length, target.Length);
            bytes[..length].CopyTo(target);
            return Errno.Ok;
        }
    }

    public Errno Link(in Caller caller, NodeId node, NodeId newParent, ReadOnlySpan<byte> newName, out FuseEntryOut entry)
    {
        entry = default;
        lock (_names)
        {
            var error = ResolveDirectory(newParent, out var directory);
            if (error != Errno.Ok) return error;
            error = _inodes.Resolve(node, out var inode);
            if (error != Errno.Ok) return error;
            ref var record = ref _inodes[inode];
            if (record.IsDirectory || directory == _inodes.Root) return Errno.EPERM;
            if (record.Pool != _inodes[directory].Pool) return Errno.EXDEV;
            if (record.Links == 0) return Errno.ENOENT;
            if (record.Links >= InodeTable.MaximumLinks) return Errno.EMLINK;
            error = CheckNewName(directory, newName);
            if (error != Errno.Ok) return error;
            var status = _index.Prepare(directory, inode, newName, out var link);
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
            _journal.Begin();
            Publish(directory, link);
            record.Links++;
            TouchChange(inode);
            Conclude(caller, HandOut(directory, inode, out entry));
            return Errno.Ok;
        }
    }

    public Errno Unlink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        RecordRef dead;
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            if (error != Errno.Ok) return error;
            var entry = _index.Find(directory, name);
            if (entry.IsNone) return Errno.ENOENT;
            error = Follow(entry, out var inode);
            if (error != Errno.Ok) return error;
            if (_inodes[inode].IsDirectory) return Errno.EISDIR;
            _journal.Begin();
            Withdraw(directory, entry);
            Conclude(caller);
            dead = DropLink(inode);
        }
        Reap(dead);
        return Errno.Ok;
    }

    public Errno RemoveDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        RecordRef dead;
        PoolState? pool;
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            if (error != Errno.Ok) return error;
            var entry = _index.Find(directory, name);
            if (entry.IsNone) return Errno.ENOENT;
            error = Follow(entry, out var inode);
            if (error != Errno.Ok) return error;
            if (!_inodes[inode].IsDirectory) return Errno.ENOTDIR;
            if (!_index.IsEmpty(inode)) return Errno.ENOTEMPTY;
            pool = PoolOf(inode);
            if (pool is { OpenFiles: > 0 }) return Errno.EBUSY;
            dead = RemoveDirectoryEntry(caller, directory, entry);
            if (pool is not null) Disown(pool);
        }
        if (pool is not null) EndPool(pool);
        Reap(dead);
        return Errno.Ok;
    }

    /// <summary>Takes a directory's name away, which is the whole operation. Returns the inode if it is dead with that.</summary>
    private RecordRef RemoveDirectoryEntry(in Caller caller, RecordRef directory, RecordRef entry)
    {
        var inode = new RecordRef(_records.Get<EntryRecord>(entry).Child);
        _journal.Begin();
        Withdraw(directory, entry);
        Conclude(caller);
        _inodes[directory].Links--;
        _inodes[inode].Links = 0;
        TouchChange(inode);
        return Dies(inode) ? inode : RecordRef.None;
    }

    /// <summary>One name less for a file. Returns the inode if it is dead with that.</summary>
    private RecordRef DropLink(RecordRef inode)
    {
        _inodes[inode].Links--;
        TouchChange(inode);
        return Dies(inode) ? inode : RecordRef.None;
    }

    private Errno MakeEntry(
        in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device, ReadOnlySpan<byte> target,
        out FuseEntryOut entry)
    {
        entry = default;
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            // The first level is pools and nothing else.
            if (error == Errno.Ok && directory == _inodes.Root) error = Errno.EPERM;
            if (error != Errno.Ok) return error;
            error = MakeInode(caller, directory, name, mode, device, default, 0, target, out var inode);
            if (error == Errno.Ok) Conclude(caller, HandOut(directory, inode, out entry));
            return error;
        }
    }

    /// <summary>
    /// Makes an inode and its name. When it succeeds, the operation is under way in the journal, for the caller to conclude.
    /// Under the namespace lock.
    /// </summary>
    /// <param name="device">Of a device: its number; else 0.</param>
    /// <param name="newPool">The pool whose first-level directory this becomes; none: it belongs to its parent's pool.</param>
    /// <param name="newFlags">Of such a directory: its flags; else they are its parent's.</param>
    private Errno MakeInode(
        in Caller caller, RecordRef directory, ReadOnlySpan<byte> name, uint mode, uint device, PoolId newPool,
            InodeFlags newFlags, ReadOnlySpan<byte> target,
        out RecordRef inode)
    {
        inode = RecordRef.None;
        var error = CheckNewName(directory, name);
        if (error != Errno.Ok) return error;
        ref var parent = ref _inodes[directory];
        var gid = caller.Gid;
        if ((parent.Mode & InodeMode.SetGroupId) != 0)
        {
            gid = parent.Gid;
            if ((mode & InodeMode.TypeMask) == InodeMode.Directory) mode |= InodeMode.SetGroupId;
        }
        RecordRef targetRecord = default, entry = default;
        var isPool = newPool != default;
        var status = _inodes.Prepare(
            mode, caller.Uid, gid, isPool ? newPool : new PoolId(parent.Pool), isPool ? newFlags
                : parent.Flags & InodeFlags.Ephemeral, out inode);
        if (status == TmemStatus.Ok && !target.IsEmpty) status = PrepareTarget(inode, target, out targetRecord);
        if (status == TmemStatus.Ok) status = _index.Prepare(directory, inode, name, out entry);
        if (status != TmemStatus.Ok)
        {
            Discard(targetRecord);
            Discard(inode);
            inode = RecordRef.None;
            return StatusErrno.Of(status);
        }
        ref var record = ref _inodes[inode];
        record.Device = device;
        record.Links = record.IsDirectory ? 2u : 1u;
        if (record.IsDirectory) record.Parent = directory.Value;
        _journal.Begin();
        if (!targetRecord.IsNone) _journal.Publish(targetRecord);
        _inodes.Publish(inode, _journal);
        _check?.Added(inode);
        Publish(directory, entry);
        if (record.IsDirectory) parent.Links++;
        return Errno.Ok;
    }

    private TmemStatus PrepareTarget(RecordRef inode, ReadOnlySpan<byte> target, out RecordRef record)
    {
        var status = _records.Allocate(RecordKind.Target, Unsafe.SizeOf<TargetRecord>() + target.Length, out record,
            new PoolId(_inodes[inode].Pool));
        if (status != TmemStatus.Ok) return status;
        ref var header = ref _records.Get<TargetRecord>(record);
        header.Owner = inode.Value;
        header.Length = (uint)target.Length;
        target.CopyTo(_records.Bytes(record)[Unsafe.SizeOf<TargetRecord>()..]);
        header.Sum = RecordSum.OfTarget(_records, record);
        _inodes[inode].Target = record.Value;
        _inodes[inode].Size = (ulong)target.Length;
        return TmemStatus.Ok;
    }

    /// <summary>
    /// Whether a name may be made in a directory: ENOENT in a removed one or in a pool that ends, EEXIST, ENAMETOOLONG.
    /// </summary>
    private Errno CheckNewName(RecordRef directory, ReadOnlySpan<byte> name)
    {
        if (_inodes[directory].Links == 0) return Errno.ENOENT;
        if (directory != _inodes.Root && _pools.Find(_inodes[directory].Pool) is null) return Errno.ENOENT;
        if (name.Length > MaximumName) return Errno.ENAMETOOLONG;
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8)) return Errno.EEXIST;
        return _index.Find(directory, name).IsNone ? Errno.Ok : Errno.EEXIST;
    }

    /// <summary>Makes a prepared entry a name, within an operation that is under way.</summary>
    private void Publish(RecordRef directory, RecordRef entry)
    {
        _journal.Publish(entry);
        _index.Insert(entry);
        var child = new RecordRef(_records.Get<EntryRecord>(entry).Child);
        _inodes[child].Entry = entry.Value;
        _check?.Added(entry, child);
        TouchDirectory(directory);
    }

    /// <summary>Takes a name away, within an operation that is under way.</summary>
    private void Withdraw(RecordRef directory, RecordRef entry)
    {
        var inode = new RecordRef(_records.Get<EntryRecord>(entry).Child);
        _check?.Removed(entry, inode);
        _index.Remove(entry);
        _journal.Retire(entry);
        if (_inodes[inode].Entry == entry.Value) _inodes[inode].Entry = 0;
        TouchDirectory(directory);
    }

    /// <summary>What a name stands for; EIO if either is damaged, or the inode was lost.</summary>
    private Errno Follow(RecordRef entry, out RecordRef inode)
    {
        inode = RecordRef.None;
        if (!RecordSum.EntryHolds(_records, entry)) return Errno.EIO;
        inode = new RecordRef(_records.Get<EntryRecord>(entry).Child);
        return _inodes.IsWhole(inode) && inode != _inodes.Root ? Errno.Ok : Errno.EIO;
    }

    /// <summary>Whether a reference is that of the whole target of this symbolic link.</summary>
    private bool IsTarget(RecordRef target, RecordRef link) =>
        _records.IsRecord(target, RecordKind.Target) && RecordSum.TargetHolds(_records, target)
            && _records.Get<TargetRecord>(target).Owner == link.Value;
}
