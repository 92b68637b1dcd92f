using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Rename: which moves are allowed, and the change of the two entries. The caller holds the namespace lock.</summary>
internal sealed class Renames(Journal journal, InodeTable inodes, DirectoryIndex index, Names names, KernelReferences kernel)
{
    private const uint NoReplace = 1;
    private const uint Exchange = 2;

    /// <summary>Most levels above a directory that another can be moved into.</summary>
    private const int DeepestRename = 16_384;

    /// <param name="died">The former inode of the new name, if it is dead now.</param>
    public Errno Rename(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        uint flags, out RecordRef died)
    {
        died = RecordRef.None;
        if (flags is not (0 or NoReplace or Exchange)) return Errno.EINVAL;
        var error = Check(parent, name, newParent, newName, flags, out var plan);
        if (error != Errno.Ok) return error;
        if (plan.Source.IsNone)
        {
            journal.Begin();
            kernel.Conclude(caller);
            return Errno.Ok;
        }
        return flags == Exchange ? ExchangeEntries(caller, in plan) : MoveEntry(caller, in plan, newName, out died);
    }

    /// <summary>What a rename changes; <see cref="Source"/> is none if there is nothing to do.</summary>
    private struct RenamePlan
    {
        public RecordRef From;
        public RecordRef To;
        public RecordRef Source;
        /// <summary>None if the new name does not exist.</summary>
        public RecordRef Target;
        public RecordRef SourceChild;
        public RecordRef TargetChild;
    }

    private Errno Check(
        NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName, uint flags, out RenamePlan plan)
    {
        plan = default;
        var error = inodes.ResolveDirectory(parent, out plan.From);
        if (error == Errno.Ok) error = inodes.ResolveDirectory(newParent, out plan.To);
        if (error != Errno.Ok) return error;
        var source = index.Find(plan.From, name);
        if (source.IsNone || inodes[plan.To].Links == 0) return Errno.ENOENT;
        // A first-level directory is a pool: it can be renamed, but a rename neither makes nor destroys one.
        if ((plan.From == inodes.Root) != (plan.To == inodes.Root)) return Errno.EPERM;
        if (inodes[plan.From].Pool != inodes[plan.To].Pool) return Errno.EXDEV;
        error = names.Follow(source, out plan.SourceChild);
        if (error != Errno.Ok) return error;
        if (inodes[plan.SourceChild].IsDirectory && IsWithin(plan.To, plan.SourceChild)) return Errno.EINVAL;

        plan.Target = index.Find(plan.To, newName);
        if (plan.Target.IsNone)
        {
            if (flags == Exchange) return Errno.ENOENT;
            error = names.MayMake(plan.To, newName);
            if (error == Errno.Ok) plan.Source = source;
            return error;
        }
        error = names.Follow(plan.Target, out plan.TargetChild);
        if (error != Errno.Ok) return error;
        if (flags == NoReplace) return Errno.EEXIST;
        if (plan.TargetChild == plan.SourceChild) return Errno.Ok;
        error = flags == Exchange
            ? inodes[plan.TargetChild].IsDirectory && IsWithin(plan.From, plan.TargetChild) ? Errno.EINVAL : Errno.Ok
            : CheckReplace(in plan);
        if (error == Errno.Ok) plan.Source = source;
        return error;
    }

    /// <summary>Whether the moved inode may replace the inode of the new name.</summary>
    private Errno CheckReplace(in RenamePlan plan)
    {
        var sourceIsDirectory = inodes[plan.SourceChild].IsDirectory;
        if (!inodes[plan.TargetChild].IsDirectory) return sourceIsDirectory ? Errno.ENOTDIR : Errno.Ok;
        if (!sourceIsDirectory) return Errno.EISDIR;
        if (!index.IsEmpty(plan.TargetChild)) return Errno.ENOTEMPTY;
        // A rename of a pool must not destroy another one.
        return plan.To == inodes.Root ? Errno.EEXIST : Errno.Ok;
    }

    /// <summary>
    /// Whether <paramref name="directory"/> is <paramref name="ancestor"/> or lies below it. The kernel has already ruled that
    /// out; deeper than any sane nesting the answer is assumed to be yes, so that one user's tree does not hold up others.
    /// </summary>
    private bool IsWithin(RecordRef directory, RecordRef ancestor)
    {
        for (var depth = 0; ; depth++)
        {
            if (depth > DeepestRename) return true;
            if (directory == ancestor) return true;
            var parent = new RecordRef(inodes[directory].Parent);
            if (directory == inodes.Root || parent.IsNone) return false;
            directory = parent;
        }
    }

    private Errno MoveEntry(in Caller caller, in RenamePlan plan, ReadOnlySpan<byte> newName, out RecordRef died)
    {
        died = RecordRef.None;
        var target = plan.Target;
        if (target.IsNone)
        {
            var status = index.Prepare(plan.To, plan.SourceChild, newName, out target);
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
        journal.Begin();
        if (plan.Target.IsNone) names.Publish(plan.To, target);
        else names.Switch(target, plan.TargetChild, plan.SourceChild);
        names.Withdraw(plan.From, plan.Source);
        kernel.Conclude(caller);

        if (!plan.Target.IsNone) died = names.Drop(plan.To, plan.TargetChild);
        MoveParent(plan.SourceChild, plan.From, plan.To);
        inodes.TouchNames(plan.To);
        inodes.TouchChange(plan.SourceChild);
        return Errno.Ok;
    }

    private Errno ExchangeEntries(in Caller caller, in RenamePlan plan)
    {
        journal.Begin();
        names.Switch(plan.Source, plan.SourceChild, plan.TargetChild);
        names.Switch(plan.Target, plan.TargetChild, plan.SourceChild);
        kernel.Conclude(caller);
        MoveParent(plan.SourceChild, plan.From, plan.To);
        MoveParent(plan.TargetChild, plan.To, plan.From);
        inodes.TouchNames(plan.From);
        inodes.TouchNames(plan.To);
        inodes.TouchChange(plan.SourceChild);
        inodes.TouchChange(plan.TargetChild);
        return Errno.Ok;
    }

    /// <summary>Of a directory: sets its parent.</summary>
    private void MoveParent(RecordRef inode, RecordRef from, RecordRef to)
    {
        if (!inodes[inode].IsDirectory) return;
        inodes[inode].Parent = to.Value;
        inodes[from].Links--;
        inodes[to].Links++;
    }
}
