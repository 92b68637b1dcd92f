using Tmem.Engine.Records;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The removal of all names below a directory that has lost its own, a few under each hold of the namespace lock.
/// </summary>
internal sealed partial class TmemFileSystem
{
    /// <summary>Names that go under one hold.</summary>
    private const int RemovedAtOnce = 64;

    private readonly Lock _destroying = new();

    /// <summary>
    /// Removes every name below a held directory of a pool that has ended, so that nothing is made there any more. Goes down to
    /// what is empty and up again by the inodes' parents: directories may be nested without end, and nothing here grows with
    /// them.
    /// </summary>
    private void RemoveTree(RecordRef top)
    {
        Span<RecordRef> dead = stackalloc RecordRef[RemovedAtOnce];
        var at = top;
        var generation = _inodes[top].Generation;
        while (true)
        {
            var count = 0;
            bool done;
            lock (_names)
            {
                _steps.Begin();
                // Others may have removed it meanwhile, and its place may be another's.
                if (!_inodes.IsWhole(at) || _inodes[at].Generation != generation || !_inodes[at].IsDirectory) at = top;
                try
                {
                    done = RemoveSome(top, ref at, dead, ref count);
                }
                catch (DamagedRecordException)
                {
                    // What cannot be reached from here is left to the next recovery.
                    _inodes[at].Children = 0;
                    done = false;
                }
                generation = _inodes[at].Generation;
            }
            foreach (var inode in dead[..count]) Reap(inode);
            if (done) return;
            BoundedHold.Pause();
        }
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

    /// <summary>Lets go of a directory that was held beyond its last name, if one was.</summary>
    private void Release()
    {
        RecordRef directory;
        lock (_names)
        {
            directory = _held;
            _held = RecordRef.None;
            if (!_inodes.IsWhole(directory) || !Dies(directory)) return;
        }
        Reap(directory);
    }
}
