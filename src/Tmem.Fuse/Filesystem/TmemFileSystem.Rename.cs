using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Rename: what may take which place, and the change of two entries.
/// </summary>
internal sealed partial class TmemFileSystem
{
    private const uint NoReplace = 1;
    private const uint Exchange = 2;

    /// <summary>Directories above one that a directory can be moved into.</summary>
    private const int DeepestRename = 16_384;

    public Errno Rename(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        uint flags)
    {
        if (flags is not (0 or NoReplace or Exchange)) return Errno.EINVAL;
        RecordRef dead;
        lock (_names)
        {
            var error = CheckRename(parent, name, newParent, newName, flags, out var plan);
            if (error != Errno.Ok) return error;
            if (plan.Source.IsNone)
            {
                _journal.Begin();
                Conclude(caller);
                return Errno.Ok;
            }
            if (flags == Exchange)
            {
                ExchangeEntries(caller, in plan);
                return Errno.Ok;
            }
            error = MoveEntry(caller, in plan, newName, out dead);
            if (error != Errno.Ok) return error;
        }
        Reap(dead);
        return Errno.Ok;
    }

    /// <summary>What a rename is about; <see cref="Source"/> is none if there is nothing to do.</summary>
    private struct RenamePlan
    {
        public RecordRef From;
        public RecordRef To;
        public RecordRef Source;
        /// <summary>None if the new name is not there.</summary>
        public RecordRef Target;
        public RecordRef SourceChild;
        public RecordRef TargetChild;
    }

    private Errno CheckRename(
        NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName, uint flags, out RenamePlan plan)
    {
        plan = default;
        var error = ResolveDirectory(parent, out plan.From);
        if (error == Errno.Ok) error = ResolveDirectory(newParent, out plan.To);
        if (error != Errno.Ok) return error;
        var source = _index.Find(plan.From, name);
        if (source.IsNone || _inodes[plan.To].Links == 0) return Errno.ENOENT;
        // A first-level directory is a pool: it can be called another name, but nothing becomes or ceases to be one by renaming.
        if ((plan.From == _inodes.Root) != (plan.To == _inodes.Root)) return Errno.EPERM;
        if (_inodes[plan.From].Pool != _inodes[plan.To].Pool) return Errno.EXDEV;
        error = Follow(source, out plan.SourceChild);
        if (error != Errno.Ok) return error;
        if (_inodes[plan.SourceChild].IsDirectory && IsWithin(plan.To, plan.SourceChild)) return Errno.EINVAL;

        plan.Target = _index.Find(plan.To, newName);
        if (plan.Target.IsNone)
        {
            if (flags == Exchange) return Errno.ENOENT;
            error = CheckNewName(plan.To, newName);
            if (error == Errno.Ok) plan.Source = source;
            return error;
        }
        error = Follow(plan.Target, out plan.TargetChild);
        if (error != Errno.Ok) return error;
        if (flags == NoReplace) return Errno.EEXIST;
        if (plan.TargetChild == plan.SourceChild) return Errno.Ok;
        error = flags == Exchange
            ? _inodes[plan.TargetChild].IsDirectory && IsWithin(plan.From, plan.TargetChild) ? Errno.EINVAL : Errno.Ok
            : CheckReplace(in plan);
        if (error == Errno.Ok) plan.Source = source;
        return error;
    }

    /// <summary>Whether the moved one may take the place of what has the new name.</summary>
    private Errno CheckReplace(in RenamePlan plan)
    {
        var sourceIsDirectory = _inodes[plan.SourceChild].IsDirectory;
        if (!_inodes[plan.TargetChild].IsDirectory) return sourceIsDirectory ? Errno.ENOTDIR : Errno.Ok;
        if (!sourceIsDirectory) return Errno.EISDIR;
        if (!_index.IsEmpty(plan.TargetChild)) return Errno.ENOTEMPTY;
        // The name of a pool is not a way to destroy another one.
        return plan.To == _inodes.Root ? Errno.EEXIST : Errno.Ok;
    }

    /// <summary>
    /// Whether <paramref name="directory"/> is <paramref name="ancestor"/> or lies below it. The kernel has made sure already
    /// that it does not; what lies deeper than anybody nests directories is believed to, so that a user's tree is not what others
    /// wait for.
    /// </summary>
    private bool IsWithin(RecordRef directory, RecordRef ancestor)
    {
        for (var depth = 0; ; depth++)
        {
            if (depth > DeepestRename) return true;
            if (directory == ancestor) return true;
            var parent = new RecordRef(_inodes[directory].Parent);
            if (directory == _inodes.Root || parent.IsNone) return false;
            directory = parent;
        }
    }

    private Errno MoveEntry(in Caller caller, in RenamePlan plan, ReadOnlySpan<byte> newName, out RecordRef dead)
    {
        dead = RecordRef.None;
        var target = plan.Target;
        if (target.IsNone)
        {
            var status = _index.Prepare(plan.To, plan.SourceChild, newName, out target);
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
        _journal.Begin();
        if (plan.Target.IsNone) Publish(plan.To, target);
        else Switch(target, plan.TargetChild, plan.SourceChild);
        Withdraw(plan.From, plan.Source);
        Conclude(caller);

        if (!plan.Target.IsNone) dead = DropReplaced(in plan);
        if (_inodes[plan.SourceChild].IsDirectory) MoveParent(plan.SourceChild, plan.From, plan.To);
        TouchDirectory(plan.To);
        TouchChange(plan.SourceChild);
        return Errno.Ok;
    }

    private RecordRef DropReplaced(in RenamePlan plan)
    {
        ref var replaced = ref _inodes[plan.TargetChild];
        if (!replaced.IsDirectory) return DropLink(plan.TargetChild);
        replaced.Links = 0;
        _inodes[plan.To].Links--;
        TouchChange(plan.TargetChild);
        return Dies(plan.TargetChild) ? plan.TargetChild : RecordRef.None;
    }

    private void ExchangeEntries(in Caller caller, in RenamePlan plan)
    {
        _journal.Begin();
        Switch(plan.Source, plan.SourceChild, plan.TargetChild);
        Switch(plan.Target, plan.TargetChild, plan.SourceChild);
        Conclude(caller);
        if (_inodes[plan.SourceChild].IsDirectory) MoveParent(plan.SourceChild, plan.From, plan.To);
        if (_inodes[plan.TargetChild].IsDirectory) MoveParent(plan.TargetChild, plan.To, plan.From);
        TouchDirectory(plan.From);
        TouchDirectory(plan.To);
        TouchChange(plan.SourceChild);
        TouchChange(plan.TargetChild);
    }

    /// <summary>Has a name stand for another inode.</summary>
    private void Switch(RecordRef entry, RecordRef before, RecordRef after)
    {
        _check?.Removed(entry, before);
        _check?.Added(entry, after);
        _index.Switch(entry, after, _journal);
        if (_inodes[before].Entry == entry.Value) _inodes[before].Entry = 0;
        _inodes[after].Entry = entry.Value;
    }

    private void MoveParent(RecordRef directory, RecordRef from, RecordRef to)
    {
        _inodes[directory].Parent = to.Value;
        _inodes[from].Links--;
        _inodes[to].Links++;
    }
}
