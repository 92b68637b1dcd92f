using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The removal of all names below a directory that has lost its own, a few under each hold of the namespace lock. Who destroys a
/// pool does it himself. What he leaves when his process dies is gone on with by the thread that drops what nobody waits for:
/// recovery chains the directories that lead to it, and does nothing of it. The directory is held meanwhile
/// (<see cref="InodeFlags.Held"/>): it is freed after what is below it, whoever forgets it before.
/// </summary>
internal sealed partial class TmemFileSystem
{
    /// <summary>Names that go under one hold.</summary>
    private const int RemovedAtOnce = 64;

    private readonly Lock _removing = new();
    private RecordRef _firstLeft;
    private Removal _removal;

    /// <summary>Directories whose removal a process that died has left.</summary>
    public long RemovalsLeft { get; private set; }

    /// <summary>
    /// How far a removal is. It goes down to what is empty and up again by the inodes' parents: directories may be nested without
    /// end, and nothing grows with them.
    /// </summary>
    private struct Removal
    {
        public RecordRef Top;
        public RecordRef At;
        public ulong Generation;
    }

    /// <summary>
    /// Removes every name below a held directory of a pool that has ended, so that nothing is made there any more.
    /// </summary>
    private void RemoveTree(RecordRef top)
    {
        var removal = new Removal { Top = top, At = top };
        while (RemoveStep(ref removal)) BoundedHold.Pause();
    }

    /// <summary>A step of what a process that died has left. False if nothing is.</summary>
    private bool RemoveLeft()
    {
        lock (_removing)
        {
            if (_removal.Top.IsNone && !TakeFirstLeft()) return false;
            if (!RemoveStep(ref _removal)) _removal = default;
        }
        BoundedHold.Pause();
        return true;
    }

    private bool TakeFirstLeft()
    {
        if (_firstLeft.IsNone) return false;
        var top = _firstLeft;
        _removal = new Removal { Top = top, At = top };
        _firstLeft = RecordRef.None;
        // A damaged one, and those behind it, are left to the next recovery.
        if (!_inodes.IsWhole(top)) return true;
        _firstLeft = new RecordRef(_inodes[top].Parent);
        _inodes[top].Parent = 0;
        return true;
    }

    /// <summary>One hold. False if nothing is left.</summary>
    private bool RemoveStep(ref Removal removal)
    {
        Span<RecordRef> dead = stackalloc RecordRef[RemovedAtOnce + 1];
        var count = 0;
        var done = false;
        lock (_names)
        {
            _steps.Begin();
            try
            {
                // Others may have removed it meanwhile, and its place may be another's.
                if (!_inodes.IsWhole(removal.At) || _inodes[removal.At].Generation != removal.Generation
                    || !_inodes[removal.At].IsDirectory)
                    removal.At = removal.Top;
                done = RemoveSome(removal.Top, ref removal.At, dead, ref count);
                removal.Generation = _inodes[removal.At].Generation;
            }
            catch (DamagedRecordException)
            {
                // What cannot be reached from here is left to the next recovery.
                if (_inodes.IsWhole(removal.At)) _inodes[removal.At].Children = 0;
                else done = removal.At == removal.Top;
                removal.At = removal.Top;
            }
            if (done && LetGo(removal.Top)) dead[count++] = removal.Top;
        }
        foreach (var inode in dead[..count]) Reap(inode);
        return !done;
    }

    /// <summary>Ends the hold on a directory. True if it is dead with that.</summary>
    private bool LetGo(RecordRef top)
    {
        _pools.Ending--;
        if (!_inodes.IsWhole(top)) return false;
        _inodes[top].Lower(InodeFlags.Held);
        return Dies(top);
    }

    private bool RemoveSome(RecordRef top, ref RecordRef at, Span<RecordRef> dead, ref int count)
    {
        for (var step = 0; step < RemovedAtOnce; step++)
        {
            _steps.Take();
            var entry = _index.Next(at, 0);
            if (entry.IsNone)
            {
                if (at == top) return true;
                at = new RecordRef(_inodes[at].Parent);
                if (!_inodes.IsWhole(at)) at = top;
                continue;
            }
            var whole = Follow(entry, out var child) == Errno.Ok;
            if (whole && _inodes[child].IsDirectory && !_index.IsEmpty(child))
            {
                at = child;
                continue;
            }
            _check?.Removed(entry, child);
            _index.Remove(entry);
            _records.Free(entry);
            if (!whole) continue;
            ref var inode = ref _inodes[child];
            if (inode.Entry == entry.Value) inode.Entry = 0;
            if (inode.IsDirectory)
            {
                inode.Links = 0;
                if (at != top) _inodes[at].Links--;
            }
            else
            {
                inode.Links--;
            }
            TouchChange(child);
            if (Dies(child)) dead[count++] = child;
        }
        return false;
    }
}
