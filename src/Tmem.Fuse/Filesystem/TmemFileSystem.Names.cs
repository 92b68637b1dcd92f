using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Names: looking up, making, linking, removing, listing.</summary>
internal sealed partial class TmemFileSystem
{
    public Errno Lookup(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, out FuseEntryOut entry)
    {
        entry = default;
        using var held = _lock.Enter();
        var error = _names.Find(parent, name, out var directory, out _, out var inode);
        if (error != Errno.Ok) return error;
        _journal.Begin();
        _kernel.Conclude(caller, _kernel.HandOut(directory, inode, out entry));
        return Errno.Ok;
    }

    public Errno MakeDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, out FuseEntryOut entry) =>
        Make(caller, parent, name, InodeMode.Directory | (mode & InodeMode.PermissionMask), 0, default, out entry);

    public Errno MakeNode(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device,
        out FuseEntryOut entry)
    {
        entry = default;
        var type = mode & InodeMode.TypeMask;
        if (type == 0) type = InodeMode.Regular;
        // A device can be named and not opened: the mount is nodev, so a name here bypasses no rights of the real device.
        var isDevice = type is InodeMode.Character or InodeMode.Block;
        if (!isDevice && type is not (InodeMode.Regular or InodeMode.Fifo or InodeMode.Socket)) return Errno.EINVAL;
        return Make(caller, parent, name, type | (mode & InodeMode.PermissionMask), isDevice ? device : 0, default, out entry);
    }

    public Errno SymbolicLink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target,
        out FuseEntryOut entry)
    {
        entry = default;
        if (target.IsEmpty) return Errno.ENOENT;
        if (target.Length > LinkTargets.Maximum) return Errno.ENAMETOOLONG;
        return Make(caller, parent, name, InodeMode.SymbolicLink | 0x1FF, 0, target, out entry);
    }

    private Errno Make(
        in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device, ReadOnlySpan<byte> target,
        out FuseEntryOut entry)
    {
        entry = default;
        using var held = _lock.Enter();
        var error = _inodes.ResolveDirectory(parent, out var directory);
        if (error != Errno.Ok) return error;
        RecordRef inode;
        if (directory != _inodes.Root)
            error = _names.Make(caller, directory, name, mode, device, target, out inode);
        else if ((mode & InodeMode.TypeMask) == InodeMode.Directory)
            error = _poolDirectories.Make(caller, name, mode, new PoolOptions(PoolFlags.Persistent), out inode);
        else
            // Only pools live at the first level.
            return Errno.EPERM;
        if (error == Errno.Ok) _kernel.Conclude(caller, _kernel.HandOut(directory, inode, out entry));
        return error;
    }

    public Errno ReadLink(NodeId node, Span<byte> target, out int length)
    {
        length = 0;
        using var held = _lock.Enter();
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        if (!_inodes[inode].IsSymbolicLink) return Errno.EINVAL;
        var bytes = _targets.Of(inode);
        if (bytes.IsEmpty) return Errno.EIO;
        // As readlink(2) does: as much as fits.
        length = Math.Min(bytes.Length, target.Length);
        bytes[..length].CopyTo(target);
        return Errno.Ok;
    }

    public Errno Link(in Caller caller, NodeId node, NodeId newParent, ReadOnlySpan<byte> newName, out FuseEntryOut entry)
    {
        entry = default;
        using var held = _lock.Enter();
        var error = _inodes.ResolveDirectory(newParent, out var directory);
        if (error != Errno.Ok) return error;
        error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        ref var record = ref _inodes[inode];
        if (record.IsDirectory || directory == _inodes.Root) return Errno.EPERM;
        if (record.Pool != _inodes[directory].Pool) return Errno.EXDEV;
        if (record.Links == 0) return Errno.ENOENT;
        if (record.Links >= InodeTable.MaximumLinks) return Errno.EMLINK;
        error = _names.MayMake(directory, newName);
        if (error != Errno.Ok) return error;
        var status = _index.Prepare(directory, inode, newName, out var link);
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        _journal.Begin();
        _names.Publish(directory, link);
        _inodes.Named(directory, inode);
        _inodes.TouchChange(inode);
        _kernel.Conclude(caller, _kernel.HandOut(directory, inode, out entry));
        return Errno.Ok;
    }

    public Errno Unlink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        RecordRef died;
        using (_lock.Enter())
        {
            var error = _names.Find(parent, name, out var directory, out var entry, out var inode);
            if (error != Errno.Ok) return error;
            if (_inodes[inode].IsDirectory) return Errno.EISDIR;
            died = _names.Remove(caller, directory, entry);
        }
        _dead.Reap(died);
        return Errno.Ok;
    }

    public Errno RemoveDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        RecordRef died;
        PoolState? pool;
        using (_lock.Enter())
        {
            var error = _names.Find(parent, name, out var directory, out var entry, out var inode);
            if (error != Errno.Ok) return error;
            if (!_inodes[inode].IsDirectory) return Errno.ENOTDIR;
            if (!_index.IsEmpty(inode)) return Errno.ENOTEMPTY;
            pool = _pools.Of(inode, in _inodes[inode]);
            if (pool is { OpenFiles: > 0 }) return Errno.EBUSY;
            died = _names.Remove(caller, directory, entry);
            if (pool is not null) _poolDirectories.Disown(pool);
        }
        if (pool is not null) _poolDirectories.End(pool);
        _dead.Reap(died);
        return Errno.Ok;
    }

    public Errno Rename(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        uint flags)
    {
        Errno error;
        RecordRef died;
        using (_lock.Enter()) error = _renames.Rename(caller, parent, name, newParent, newName, flags, out died);
        _dead.Reap(died);
        return error;
    }

    public Errno OpenDirectory(in Caller caller, NodeId node, uint flags, out FuseOpenOut open) =>
        Open(caller, node, isDirectory: true, flags, out open);

    public void ReleaseDirectory(in Caller caller, NodeId node, ulong handle) => Release(caller, node, handle);

    public Errno ReadDirectory(in Caller caller, NodeId node, ulong handle, ulong cookie, ref DirectoryWriter writer)
    {
        using var held = _lock.Enter();
        var error = _inodes.ResolveDirectory(node, out var directory);
        return error == Errno.Ok ? _listing.Read(caller, directory, cookie, ref writer) : error;
    }

    public bool Recall(in Caller caller, out Recollection answer)
    {
        answer = default;
        Span<RecordRef> died = stackalloc RecordRef[AnswerRecord.MaximumLookups];
        int count;
        bool isFound;
        using (_lock.Enter()) isFound = _kernel.Recall(caller, ref answer, died, out count);
        _dead.Reap(died[..count]);
        return isFound;
    }

    public uint Forgotten(in Caller caller)
    {
        using var held = _lock.Enter();
        return _kernel.Forgotten(caller);
    }

    public void Forget(in Caller caller, NodeId node, ulong lookups)
    {
        RecordRef died;
        using (_lock.Enter()) died = _kernel.Forget(caller, node, lookups);
        _dead.Reap(died);
    }
}
