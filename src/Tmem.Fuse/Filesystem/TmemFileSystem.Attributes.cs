using System.Globalization;
using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Attributes and extended attributes.</summary>
internal sealed partial class TmemFileSystem
{
    private static ReadOnlySpan<byte> CapabilityName => "security.capability"u8;
    private static ReadOnlySpan<byte> UserPrefix => "user."u8;
    private static ReadOnlySpan<byte> TrustedPrefix => "trusted."u8;
    private static ReadOnlySpan<byte> SecurityPrefix => "security."u8;
    private static ReadOnlySpan<byte> TmemPrefix => "user.tmem."u8;
    private static ReadOnlySpan<byte> KindName => "user.tmem.kind"u8;
    private static ReadOnlySpan<byte> LimitName => "user.tmem.limit"u8;
    private static ReadOnlySpan<byte> CodecName => "user.tmem.codec"u8;
    private static ReadOnlySpan<byte> PageSizeName => "user.tmem.page_size"u8;
    private static ReadOnlySpan<byte> PoolName => "user.tmem.pool"u8;

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
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        if ((valid & FuseSetattrValid.Size) != 0)
        {
            error = ResolveFile(node, out inode);
            if (error == Errno.Ok && !AreHeld(in change)) error = Errno.EINVAL;
            var isLeft = false;
            if (error == Errno.Ok) error = _data.Truncate(inode, change.Size, _workLeft is not null, out isLeft);
            if (error != Errno.Ok) return error;
            if (isLeft) deferral = Deferral.Truncated(node);
            DropPrivileges(caller, inode, (valid & FuseSetattrValid.KillSuidGid) != 0);
        }
        if (!AreHeld(in change)) return Errno.EINVAL;
        lock (_names)
        {
            ref var record = ref _inodes[inode];
            if ((valid & (FuseSetattrValid.Uid | FuseSetattrValid.Gid)) != 0) ChangeOwner(caller, inode, in change);
            if ((valid & FuseSetattrValid.Mode) != 0)
                Volatile.Write(ref record.Mode, (record.Mode & InodeMode.TypeMask) | (change.Mode & InodeMode.PermissionMask));
            ChangeTimes(ref record, in change);
            const FuseSetattrValid both = FuseSetattrValid.Mtime | FuseSetattrValid.Size;
            if (record.Has(InodeFlags.TimeWasSet) && (valid & both) == FuseSetattrValid.Mtime)
                deferral = Deferral.TimeSet(node);
            _inodes.Describe(inode, out attributes);
        }
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno Conclude(in Deferral deferral, out FuseAttrOut attributes)
    {
        attributes = default;
        var error = _inodes.Resolve(deferral.Node, out var inode);
        if (error != Errno.Ok) return error;
        // What is written back from here on was changed after the time was set.
        if (deferral.Kind == DeferralKind.TimeSet) _inodes[inode].Lower(InodeFlags.TimeWasSet);
        _inodes.Describe(inode, out attributes);
        return Errno.Ok;
    }

    /// <summary>A new owner; a file loses the privileges it ran with, whoever asks (HANDLE_KILLPRIV_V2).</summary>
    private void ChangeOwner(in Caller caller, RecordRef inode, in FuseSetattrIn change)
    {
        ref var record = ref _inodes[inode];
        var inGroup = IsOfGroup(caller, in record);
        if ((change.Valid & FuseSetattrValid.Uid) != 0) record.Uid = change.Uid;
        if ((change.Valid & FuseSetattrValid.Gid) != 0) record.Gid = change.Gid;
        if (record.IsDirectory) return;
        Volatile.Write(ref record.Mode, InodeMode.WithoutPrivileges(record.Mode, inGroup));
        DropCapability(inode);
    }

    /// <summary>Whether the times that are to be set can be held; before anything is changed.</summary>
    private static bool AreHeld(in FuseSetattrIn change) =>
        ((change.Valid & FuseSetattrValid.Atime) == 0 || FileClock.TryFromWire(change.Atime, change.AtimeNsec, out _))
        && ((change.Valid & FuseSetattrValid.Mtime) == 0 || FileClock.TryFromWire(change.Mtime, change.MtimeNsec, out _))
        && ((change.Valid & FuseSetattrValid.Ctime) == 0 || FileClock.TryFromWire(change.Ctime, change.CtimeNsec, out _));

    private static void ChangeTimes(ref InodeRecord record, in FuseSetattrIn change)
    {
        var valid = change.Valid;
        var now = FileClock.Now();
        FileClock.TryFromWire(change.Atime, change.AtimeNsec, out var access);
        FileClock.TryFromWire(change.Mtime, change.MtimeNsec, out var modify);
        FileClock.TryFromWire(change.Ctime, change.CtimeNsec, out var changed);
        Volatile.Write(ref record.ChangeTime, (valid & FuseSetattrValid.Ctime) != 0 ? changed : now);
        if ((valid & FuseSetattrValid.Atime) != 0)
            Volatile.Write(ref record.AccessTime, (valid & FuseSetattrValid.AtimeNow) != 0 ? now : access);
        if ((valid & FuseSetattrValid.Mtime) == 0) return;
        // Between the two others: what is written back from a mapping meanwhile compares the time of this change, and leaves ours
        // alone.
        if (record.IsRegular && record.MayBeNewerInKernel && PageCacheTrace.IsKept(in record))
            record.Raise(InodeFlags.TimeWasSet);
        Volatile.Write(ref record.ModifyTime, (valid & FuseSetattrValid.MtimeNow) != 0 ? now : modify);
    }

    /// <summary>
    /// What a write or truncation takes from a file: its capabilities always, set-id bits if the writer may not keep them. Both
    /// are rare, and without them nothing is locked.
    /// </summary>
    private void DropPrivileges(in Caller caller, RecordRef file, bool killSetId)
    {
        ref var inode = ref _inodes[file];
        if (killSetId)
        {
            var inGroup = IsOfGroup(caller, in inode);
            var mode = Volatile.Read(ref inode.Mode);
            while (InodeMode.WithoutPrivileges(mode, inGroup) is var without && without != mode)
            {
                var before = Interlocked.CompareExchange(ref inode.Mode, without, mode);
                if (before == mode) break;
                mode = before;
            }
        }
        if (Volatile.Read(ref inode.Attributes) == 0) return;
        lock (_names) DropCapability(file);
    }

    /// <summary>As far as a request tells: it names one group of its sender's.</summary>
    private static bool IsOfGroup(in Caller caller, in InodeRecord inode) => caller.Uid == 0 || caller.Gid == inode.Gid;

    private void DropCapability(RecordRef file)
    {
        if (_attributes.Remove(file, CapabilityName) == Errno.Ok) _journal.Commit();
    }

    /// <summary>
    /// The mount has default_permissions: the kernel decides by mode and owner, and this only says whether the node is there.
    /// </summary>
    public Errno Access(in Caller caller, NodeId node, uint mask) => _inodes.Resolve(node, out _);

    public Errno GetExtendedAttribute(NodeId node, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        error = Judge(name);
        if (error != Errno.Ok) return error;
        ref var record = ref _inodes[inode];
        if (name.StartsWith(TmemPrefix)) return PoolAttribute(inode, name, value, out length);
        // Asked on many writes (security.capability), of files that have none: no lock for the answer.
        if (Volatile.Read(ref record.Attributes) == 0) return Errno.ENODATA;
        lock (_names) return _attributes.Get(inode, name, value, out length);
    }

    public Errno SetExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value,
        uint flags)
    {
        var error = _inodes.Resolve(node, out var inode);
        if (error == Errno.Ok) error = MayChange(inode, name);
        if (error != Errno.Ok) return error;
        lock (_names)
        {
            error = _attributes.Set(inode, name, value, flags);
            if (error != Errno.Ok) return error;
            Conclude(caller);
            TouchChange(inode);
            return Errno.Ok;
        }
    }

    public Errno RemoveExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name)
    {
        var error = _inodes.Resolve(node, out var inode);
        if (error == Errno.Ok) error = MayChange(inode, name);
        if (error != Errno.Ok) return error;
        lock (_names)
        {
            error = _attributes.Remove(inode, name);
            if (error != Errno.Ok) return error;
            Conclude(caller);
            TouchChange(inode);
            return Errno.Ok;
        }
    }

    public Errno ListExtendedAttributes(in Caller caller, NodeId node, Span<byte> names, out int length)
    {
        length = 0;
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        lock (_names)
        {
            if (PoolOf(inode) is not null)
            {
                ExtendedAttributes.AppendName(KindName, names, ref length);
                ExtendedAttributes.AppendName(LimitName, names, ref length);
                ExtendedAttributes.AppendName(CodecName, names, ref length);
                ExtendedAttributes.AppendName(PageSizeName, names, ref length);
                ExtendedAttributes.AppendName(PoolName, names, ref length);
            }
            // The kernel refuses trusted.* to all but administrators when it is read or set, but not when it is listed.
            _attributes.List(inode, caller.Uid == 0 ? default : TrustedPrefix, names, ref length);
        }
        if (names.IsEmpty || length <= names.Length) return Errno.Ok;
        length = 0;
        return Errno.ERANGE;
    }

    /// <summary>
    /// Stored are user.*, trusted.* and security.*; access control lists (system.*) are not kept. A name is more than its prefix,
    /// as everywhere.
    /// </summary>
    private static Errno Judge(ReadOnlySpan<byte> name)
    {
        var prefix = name.StartsWith(UserPrefix) ? UserPrefix : name.StartsWith(TrustedPrefix) ? TrustedPrefix
            : name.StartsWith(SecurityPrefix) ? SecurityPrefix : default;
        return prefix.IsEmpty ? Errno.EOPNOTSUPP : name.Length == prefix.Length ? Errno.EINVAL : Errno.Ok;
    }

    /// <summary>
    /// user.tmem.* speaks for the pool and is the file system's own everywhere; user.* is for files and directories.
    /// </summary>
    private Errno MayChange(RecordRef inode, ReadOnlySpan<byte> name)
    {
        if (name.Length > MaximumName) return Errno.ERANGE;
        if (Judge(name) is not Errno.Ok and var error) return error;
        if (name.StartsWith(TmemPrefix)) return Errno.EPERM;
        ref var record = ref _inodes[inode];
        return name.StartsWith(UserPrefix) && !record.IsRegular && !record.IsDirectory ? Errno.EPERM : Errno.Ok;
    }

    /// <summary>The pool whose first-level directory this is, or none. Under the namespace lock.</summary>
    private PoolState? PoolOf(RecordRef directory)
    {
        var pool = _pools.Find(_inodes[directory].Pool);
        return pool is not null && pool.Directory == directory ? pool : null;
    }

    private Errno PoolAttribute(RecordRef inode, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        PoolState? pool;
        lock (_names) pool = PoolOf(inode);
        if (pool is null) return Errno.ENODATA;
        Span<byte> number = stackalloc byte[20];
        if (name.SequenceEqual(KindName))
            return ExtendedAttributes.Copy(pool.IsEphemeral ? "ephemeral"u8 : "persistent"u8, value, out length);
        if (name.SequenceEqual(CodecName))
        {
            var written = Encoding.UTF8.GetBytes(pool.Options.Codec.Name(), number);
            return ExtendedAttributes.Copy(number[..written], value, out length);
        }
        long figure;
        // As the management says it.
        if (name.SequenceEqual(LimitName) && pool.Options.LimitBytes == 0)
            return ExtendedAttributes.Copy("none"u8, value, out length);
        if (name.SequenceEqual(LimitName)) figure = pool.Options.LimitBytes;
        else if (name.SequenceEqual(PageSizeName)) figure = pool.Options.Flags.PageSize();
        else if (name.SequenceEqual(PoolName)) figure = pool.Id.Value;
        else return Errno.ENODATA;
        figure.TryFormat(number, out var digits, default, CultureInfo.InvariantCulture);
        return ExtendedAttributes.Copy(number[..digits], value, out length);
    }
}
