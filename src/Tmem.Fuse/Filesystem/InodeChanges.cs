using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Changes of an inode's owner, mode and times, and the privileges that they and a change of contents drop.</summary>
internal sealed class InodeChanges(
    NamespaceLock namespaceLock, InodeTable inodes, ExtendedAttributes attributes, Journal journal)
{
    /// <summary>Sets owner, mode and times, as far as the request asks. Under the namespace lock.</summary>
    public void Apply(in Caller caller, RecordRef inode, in FuseSetattrIn change)
    {
        ref var record = ref inodes[inode];
        if ((change.Valid & (FuseSetattrValid.Uid | FuseSetattrValid.Gid)) != 0) ChangeOwner(caller, inode, in change);
        if ((change.Valid & FuseSetattrValid.Mode) != 0)
            Volatile.Write(ref record.Mode, (record.Mode & InodeMode.TypeMask) | (change.Mode & InodeMode.PermissionMask));
        ChangeTimes(ref record, in change);
    }

    /// <summary>Sets the owner; a file loses its set-id bits and capabilities, whoever asks (HANDLE_KILLPRIV_V2).</summary>
    private void ChangeOwner(in Caller caller, RecordRef inode, in FuseSetattrIn change)
    {
        ref var record = ref inodes[inode];
        var inGroup = IsOfGroup(caller, in record);
        if ((change.Valid & FuseSetattrValid.Uid) != 0) record.Uid = change.Uid;
        if ((change.Valid & FuseSetattrValid.Gid) != 0) record.Gid = change.Gid;
        if (record.IsDirectory) return;
        Volatile.Write(ref record.Mode, InodeMode.WithoutPrivileges(record.Mode, inGroup));
        DropCapability(inode);
    }

    /// <summary>Whether the times to be set can be represented; checked before anything is changed.</summary>
    public static bool CanHold(in FuseSetattrIn change) =>
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
        // Between the two others: a write-back from a mapping meanwhile compares the time of this change, and leaves ours alone.
        if (record.IsRegular && record.MayBeNewerInKernel && PageCacheTrace.IsKept(in record))
            record.Raise(InodeFlags.TimeWasSet);
        Volatile.Write(ref record.ModifyTime, (valid & FuseSetattrValid.MtimeNow) != 0 ? now : modify);
    }

    /// <summary>
    /// Drops a file's privileges on a write or truncation: its capabilities always, set-id bits if the writer may not keep them.
    /// Both are rare, and a file without them takes no lock.
    /// </summary>
    public void DropPrivileges(in Caller caller, RecordRef file, bool killSetId)
    {
        ref var inode = ref inodes[file];
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
        using var held = namespaceLock.Enter();
        DropCapability(file);
    }

    /// <summary>As far as a request tells: it carries one group of its sender.</summary>
    private static bool IsOfGroup(in Caller caller, in InodeRecord inode) => caller.Uid == 0 || caller.Gid == inode.Gid;

    private void DropCapability(RecordRef file)
    {
        if (attributes.Remove(file, AttributeNames.Capability) == Errno.Ok) journal.Commit();
    }
}
