using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Work that takes long and that any user may choose: the pages of a dead file, of a truncation, of a large hole. Where somebody
/// takes it over (<see cref="WorkLeft"/>), the request does a bounded part of it, and the rest is done a step at a time: no
/// thread of a session is held by it.
/// <para>
/// Dead files with many pages wait in a chain through a word of their own that a living file does not use; a process that dies
/// leaves inodes that are dead, as ever, and recovery chains those. They are worked at in turn, beside the removal of names that
/// a dead process has left (TmemFileSystem.Trees.cs). What finds the store full does a step itself, and tries again: their room
/// counts as free.
/// </para>
/// </summary>
internal sealed partial class TmemFileSystem
{
    /// <summary>A dead file with no more pages than this goes at once: 0.1 ms.</summary>
    private const int FewPages = 256;

    private readonly object _deadGate = new();
    private RecordRef _firstDead;
    private RecordRef _lastDead;
    private int _deadInHand;
    private volatile Action? _workLeft;

    /// <inheritdoc/>
    public Action? WorkLeft { set => _workLeft = value; }

    /// <inheritdoc/>
    public bool DropSome() => RemoveLeft() | DropPages();

    private bool DropPages()
    {
        RecordRef inode;
        lock (_deadGate)
        {
            if (_firstDead.IsNone)
            {
                if (_deadInHand == 0) return false;
                // Another's step gives back room too: it takes less than a millisecond.
                Monitor.Wait(_deadGate, 10);
                return true;
            }
            inode = _firstDead;
            _firstDead = RecordRef.None;
            // What is damaged, and what hangs on it, is left to the next recovery.
            if (!_inodes.IsWhole(inode))
            {
                _lastDead = RecordRef.None;
                return false;
            }
            _firstDead = new RecordRef(_inodes[inode].Parent);
            if (_firstDead.IsNone) _lastDead = RecordRef.None;
            _deadInHand++;
        }
        var isLeft = false;
        try
        {
            isLeft = _data.DropAll(inode);
            if (!isLeft) FreeDead(inode);
        }
        finally
        {
            lock (_deadGate)
            {
                _deadInHand--;
                if (isLeft) Chain(inode);
                Monitor.PulseAll(_deadGate);
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public bool DropSome(in Deferral deferral)
    {
        if (ResolveFile(deferral.Node, out var file) != Errno.Ok) return false;
        return deferral.Kind == DeferralKind.Truncated
            ? _data.DropBeyondEnd(file)
            : _data.DropRange(file, deferral.Offset >> FilePages.PageShift, deferral.Length);
    }

    /// <summary>
    /// Frees a dead inode with all that belongs to it, or leaves it to <see cref="DropSome()"/>. Without the namespace lock.
    /// </summary>
    private void Reap(RecordRef inode)
    {
        if (inode.IsNone) return;
        if (_inodes[inode].IsRegular && _workLeft is { } workLeft && _data.Pages(inode).Count() > FewPages)
        {
            lock (_deadGate) Chain(inode);
            workLeft();
            return;
        }
        FreeDead(inode);
    }

    private void FreeDead(RecordRef inode)
    {
        // The pool may be gone before its last files, and the pages with it.
        if (_inodes[inode].IsRegular) _data.Pages(inode).FlushAll();
        lock (_names)
        {
            _dying--;
            try
            {
                _attributes.FreeAll(inode);
            }
            catch (DamagedRecordException)
            {
                // What hangs on it is left over, and found by the next recovery.
            }
            var target = new RecordRef(_inodes[inode].Target);
            _check?.Removed(inode);
            _inodes.Free(inode);
            if (_records.IsRecord(target, RecordKind.Target)) _records.Free(target);
        }
    }

    private void Chain(RecordRef inode)
    {
        _inodes[inode].Parent = 0;
        if (_lastDead.IsNone) _firstDead = inode;
        else _inodes[_lastDead].Parent = inode.Value;
        _lastDead = inode;
    }
}
