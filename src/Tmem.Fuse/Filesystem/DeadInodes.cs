using System.Diagnostics;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Inodes with no name and no reference. Such an inode is first made dead under the namespace lock, then its pages are flushed
/// outside of it, then its records are freed.
/// <para>
/// Dead files with many pages, which any user can create, wait in a chain, linked by a word that a living file does not use.
/// Another thread takes them over (<see cref="WorkLeft"/>) and drops them a step at a time, so that they hold up no thread of a
/// session. A process that dies leaves such inodes dead, and recovery chains them.
/// </para>
/// </summary>
internal sealed class DeadInodes(
    NamespaceLock namespaceLock, RecordStore records, InodeTable inodes, ExtendedAttributes attributes, FileData data,
    RunningCheck check)
{
    /// <summary>A dead file with at most this many pages is dropped at once: 0.1 ms.</summary>
    private const int FewPages = 256;

    private readonly object _gate = new();
    private RecordRef _first;
    private RecordRef _last;
    private int _inHand;
    private long _dying;
    private volatile Action? _workLeft;

    /// <summary>Called when something is left for <see cref="DropSome"/>; null if no other thread takes it over.</summary>
    public Action? WorkLeft
    {
        get => _workLeft;
        set => _workLeft = value;
    }

    /// <summary>Whether an inode is dead and not freed yet. Under the namespace lock.</summary>
    public bool Any => _dying != 0;

    /// <summary>
    /// The inode, if it has just become dead, else none. The caller holds the namespace lock, and reaps the inode once it has
    /// released it.
    /// </summary>
    public RecordRef IfDead(RecordRef inode)
    {
        LockOrder.Holds(LockRank.Names);
        if (!inodes[inode].IsDead || inodes[inode].Has(InodeFlags.Held)) return RecordRef.None;
        _dying++;
        return inode;
    }

    /// <summary>
    /// Takes over an inode that was dead when its process died. Clients wait now, so the pages of a large file are dropped later,
    /// while they are served.
    /// </summary>
    public void TakeUp(RecordRef inode)
    {
        _dying++;
        if (HasManyPages(inode)) Chain(inode);
        else FlushAndFree(inode);
    }

    /// <summary>
    /// Frees an inode, if it is dead, with all that belongs to it, or leaves it to <see cref="DropSome"/>. Without the namespace
    /// lock.
    /// </summary>
    public void Reap(RecordRef inode)
    {
        if (inode.IsNone) return;
        if (_workLeft is not { } workLeft || !HasManyPages(inode))
        {
            FlushAndFree(inode);
            return;
        }
        lock (_gate) Chain(inode);
        workLeft();
    }

    public void Reap(ReadOnlySpan<RecordRef> dead)
    {
        foreach (var inode in dead) Reap(inode);
    }

    /// <summary>Drops some pages of a waiting inode. False if none waits.</summary>
    public bool DropSome()
    {
        RecordRef inode;
        lock (_gate)
        {
            if (_first.IsNone)
            {
                if (_inHand == 0) return false;
                // Another thread's step frees room too: it takes less than a millisecond.
                Monitor.Wait(_gate, 10);
                return true;
            }
            inode = _first;
            _first = RecordRef.None;
            // The next recovery takes care of a damaged inode, and of the chain behind it.
            if (!inodes.IsWhole(inode))
            {
                _last = RecordRef.None;
                return false;
            }
            _first = new RecordRef(inodes[inode].Parent);
            if (_first.IsNone) _last = RecordRef.None;
            _inHand++;
        }
        var isLeft = false;
        try
        {
            isLeft = data.DropAll(inode);
            if (!isLeft) FlushAndFree(inode);
        }
        finally
        {
            lock (_gate)
            {
                _inHand--;
                if (isLeft) Chain(inode);
                Monitor.PulseAll(_gate);
            }
        }
        return true;
    }

    private void FlushAndFree(RecordRef inode)
    {
        Flush(inode);
        using var held = namespaceLock.Enter();
        Free(inode);
    }

    /// <summary>Flushes the pages of a file. The pool, and with it the pages, may be gone before its last files.</summary>
    public void Flush(RecordRef inode)
    {
        if (inodes[inode].IsRegular) data.Pages(inode).FlushAll();
    }

    /// <summary>Frees a dead inode whose pages are flushed. Under the namespace lock.</summary>
    public void Free(RecordRef inode)
    {
        LockOrder.Holds(LockRank.Names);
        _dying--;
        Debug.Assert(_dying >= 0, "an inode is freed that was not found to be dead");
        try
        {
            attributes.FreeAll(inode);
        }
        catch (DamagedRecordException)
        {
            // Leftover attributes are found by the next recovery.
        }
        var target = new RecordRef(inodes[inode].Target);
        check.Removed(inode);
        inodes.Free(inode);
        if (records.IsRecord(target, RecordKind.Target)) records.Free(target);
    }

    private bool HasManyPages(RecordRef inode) => inodes[inode].IsRegular && data.Pages(inode).Count() > FewPages;

    private void Chain(RecordRef inode)
    {
        inodes[inode].Parent = 0;
        if (_last.IsNone) _first = inode;
        else inodes[_last].Parent = inode.Value;
        _last = inode;
    }
}
