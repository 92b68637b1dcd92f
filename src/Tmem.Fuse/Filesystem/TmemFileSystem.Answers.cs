using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// What the kernel holds of the file system (lookups, handles) and how each change of it happens once: an operation leaves its
/// answer in the same transaction, and a request that is sent again is answered from there.
/// </summary>
internal sealed partial class TmemFileSystem
{
    public bool Recall(in Caller caller, out Recollection answer)
    {
        answer = default;
        Span<RecordRef> dead = stackalloc RecordRef[AnswerRecord.MaximumLookups];
        int deadCount;
        lock (_names)
        {
            if (!_answers.TryFind(caller)) return false;
            ref var slot = ref _answers.For(caller);
            if (slot.Answer.LookupCount == 0)
            {
                Describe(in slot.Answer, ref answer);
                return true;
            }
            deadCount = TakeBackLookups(ref slot, dead);
        }
        foreach (var inode in dead[..deadCount]) Reap(inode);
        return false;
    }

    public uint Forgotten(in Caller caller)
    {
        lock (_names) return _answers.TryFind(caller) ? (uint)_answers.For(caller).Answer.Forgotten : 0;
    }

    public void Forget(in Caller caller, NodeId node, ulong lookups)
    {
        var dead = RecordRef.None;
        lock (_names)
        {
            _journal.Begin();
            if (_inodes.Resolve(node, out var inode) == Errno.Ok)
            {
                ref var record = ref _inodes[inode];
                _journal.Set(ref record.Lookups, record.Lookups - Math.Min(record.Lookups, lookups));
                if (Dies(inode)) dead = inode;
            }
            CountForgotten(caller);
        }
        Reap(dead);
    }

    /// <summary>One node of the message is done, known or not: the count is a place in the message.</summary>
    private void CountForgotten(in Caller caller)
    {
        if (caller.Unique == 0)
        {
            _journal.Commit();
            return;
        }
        ref var slot = ref _answers.For(caller);
        _journal.Set(ref slot.Answer.Forgotten, slot.Answer.Forgotten + 1);
        _journal.Set(ref slot.Unique, caller.Unique);
        _journal.Commit();
    }

    /// <summary>
    /// Ends the operation that is under way and leaves its answer, for the case that the request is sent again.
    /// </summary>
    private void Conclude(in Caller caller, in Answer answer = default)
    {
        if (caller.Unique != 0)
        {
            ref var slot = ref _answers.For(caller);
            slot.Answer = answer;
            _journal.Set(ref slot.Unique, caller.Unique);
        }
        _journal.Commit();
    }

    /// <summary>Describes an inode to the kernel and counts the lookup, within an operation that is under way.</summary>
    private Answer HandOut(RecordRef directory, RecordRef inode, out FuseEntryOut entry)
    {
        ref var lookups = ref _inodes[inode].Lookups;
        _journal.Set(ref lookups, lookups + 1);
        _inodes.Describe(directory, inode, out entry);
        return new Answer { Inode = inode.Value, Directory = directory.Value };
    }

    private void Describe(in Answer answer, ref Recollection recollection)
    {
        if (answer.Inode != 0)
        {
            recollection.HasEntry = true;
            _inodes.Describe(new RecordRef(answer.Directory), new RecordRef(answer.Inode), out recollection.Entry);
        }
        if (answer.Handle == 0) return;
        recollection.HasOpen = true;
        recollection.Open = new FuseOpenOut { Fh = answer.Handle, OpenFlags = (FuseOpenFlags)answer.OpenFlags };
    }

    /// <summary>
    /// A listing is not remembered, only what it counted: that is taken back, and the directory listed again. Returns how many
    /// inodes died of it: those that have lost their names meanwhile.
    /// </summary>
    private int TakeBackLookups(ref AnswerRecord slot, Span<RecordRef> dead)
    {
        var count = 0;
        _journal.Begin();
        for (var i = 0; i < (int)Math.Min(slot.Answer.LookupCount, AnswerRecord.MaximumLookups); i++)
        {
            var inode = new RecordRef(slot.Lookups[i]);
            if (!_inodes.IsWhole(inode)) continue;
            ref var lookups = ref _inodes[inode].Lookups;
            _journal.Set(ref lookups, lookups - 1);
            if (Dies(inode)) dead[count++] = inode;
        }
        _journal.Set(ref slot.Unique, 0);
        _journal.Commit();
        return count;
    }
}
