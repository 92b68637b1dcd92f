using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Attributes and extended attributes.</summary>
internal sealed partial class TmemFileSystem
{
    public Errno GetAttributes(NodeId node, out FuseAttrOut attributes)
    {
        attributes = default;
        var error = _inodes.Resolve(node, out var inode);
        if (error == Errno.Ok) _inodes.Describe(inode, out attributes);
        return error;
    }

    /// <inheritdoc/>
    public Errno SetAttributes(in Caller caller, NodeId node, in FuseSetattrIn change, out FuseAttrOut attributes,
        out Deferral deferral)
    {
        attributes = default;
        deferral = default;
        var valid = change.Valid;
        var isTruncation = (valid & FuseSetattrValid.Size) != 0;
        var error = isTruncation ? _inodes.ResolveFile(node, out var inode) : _inodes.Resolve(node, out inode);
        if (error == Errno.Ok && !InodeChanges.CanHold(in change)) error = Errno.EINVAL;
        if (error != Errno.Ok) return error;
        if (isTruncation)
        {
            error = _data.Truncate(inode, change.Size, _dead.WorkLeft is not null, out var isLeft);
            if (error != Errno.Ok) return error;
            if (isLeft) deferral = Deferral.Truncated(node);
            _changes.DropPrivileges(caller, inode, (valid & FuseSetattrValid.KillSuidGid) != 0);
        }
        using var held = _lock.Enter();
        _changes.Apply(caller, inode, in change);
        const FuseSetattrValid both = FuseSetattrValid.Mtime | FuseSetattrValid.Size;
        if (_inodes[inode].Has(InodeFlags.TimeWasSet) && (valid & both) == FuseSetattrValid.Mtime)
            deferral = Deferral.TimeSet(node);
        _inodes.Describe(inode, out attributes);
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno Conclude(in Deferral deferral, out FuseAttrOut attributes)
    {
        attributes = default;
        var error = _inodes.Resolve(deferral.Node, out var inode);
        if (error != Errno.Ok) return error;
        // Changes written back from here on were made after the time was set.
        if (deferral.Kind == DeferralKind.TimeSet) _inodes[inode].Lower(InodeFlags.TimeWasSet);
        _inodes.Describe(inode, out attributes);
        return Errno.Ok;
    }

    /// <summary>
    /// The mount has default_permissions: the kernel decides by mode and owner, and this only checks that the node exists.
    /// </summary>
    public Errno Access(in Caller caller, NodeId node, uint mask) => _inodes.Resolve(node, out _);

    public Errno GetExtendedAttribute(NodeId node, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        var error = _inodes.Resolve(node, out var inode);
        if (error == Errno.Ok) error = AttributeNames.Judge(name);
        if (error != Errno.Ok) return error;
        var isOfPool = name.StartsWith(PoolAttributes.Prefix);
        // Asked on many writes (security.capability) of files that have none: answered without the lock.
        if (!isOfPool && Volatile.Read(ref _inodes[inode].Attributes) == 0) return Errno.ENODATA;
        using var held = _lock.Enter();
        if (!isOfPool) return _attributes.Get(inode, name, value, out length);
        return _pools.Of(inode, in _inodes[inode]) is { } pool ? PoolAttributes.Get(pool, name, value, out length)
            : Errno.ENODATA;
    }

    public Errno SetExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value,
        uint flags)
    {
        var error = MayChange(node, name, out var inode);
        if (error != Errno.Ok) return error;
        using var held = _lock.Enter();
        error = _attributes.Set(inode, name, value, flags);
        if (error == Errno.Ok) ConcludeChange(caller, inode);
        return error;
    }

    public Errno RemoveExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name)
    {
        var error = MayChange(node, name, out var inode);
        if (error != Errno.Ok) return error;
        using var held = _lock.Enter();
        error = _attributes.Remove(inode, name);
        if (error == Errno.Ok) ConcludeChange(caller, inode);
        return error;
    }

    private Errno MayChange(NodeId node, ReadOnlySpan<byte> name, out RecordRef inode)
    {
        var error = _inodes.Resolve(node, out inode);
        return error == Errno.Ok ? AttributeNames.MayChange(in _inodes[inode], name) : error;
    }

    private void ConcludeChange(in Caller caller, RecordRef inode)
    {
        _kernel.Conclude(caller);
        _inodes.TouchChange(inode);
    }

    public Errno ListExtendedAttributes(in Caller caller, NodeId node, Span<byte> names, out int length)
    {
        length = 0;
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        using (_lock.Enter())
        {
            if (_pools.Of(inode, in _inodes[inode]) is not null) PoolAttributes.List(names, ref length);
            // The kernel hides trusted.* from all but administrators on get and set, but not in a list.
            _attributes.List(inode, caller.Uid == 0 ? default : AttributeNames.Trusted, names, ref length);
        }
        if (names.IsEmpty || length <= names.Length) return Errno.Ok;
        length = 0;
        return Errno.ERANGE;
    }
}
