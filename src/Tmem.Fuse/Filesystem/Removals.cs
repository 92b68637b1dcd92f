using System.Diagnostics;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The removal of all names below a directory that has lost its own, a few under each hold of the namespace lock. The thread that
/// destroys a pool does this itself. If its process dies, recovery only chains the directories that lead to the rest, and the
/// thread that drops pages in the background continues. The directory is held meanwhile (<see cref="InodeFlags.Held"/>): it is
/// freed after everything below it, even if the kernel forgets it before.
/// </summary>
/// <param name="left">The first directory that a dead process has left; each leads to the next by its parent.</param>
internal sealed class Removals(
    BoundedHold hold, RecordStore records, InodeTable inodes, DirectoryIndex index, PoolTable pools, Names names,
    DeadInodes dead, StaleNames stale, RecordRef left)
{
    /// <summary>Names removed under one hold.</summary>
    private const int RemovedAtOnce = 64;

    private readonly Lock _gate = new();
    private RecordRef _firstLeft = left;
    private Removal _removal;

    /// <summary>
    /// The progress of a removal. It descends to empty directories and ascends by the inodes' parents: directories may be nested
    /// without bound, and nothing grows with their depth.
    /// </summary>
    private struct Removal(RecordRef top)
    {
        public readonly RecordRef Top = top;
        public RecordRef At = top;
        public ulong Generation;
    }

    /// <summary>
    /// Removes every name below a held directory of a pool that is ending, where nothing new can be made any more.
    /// </summary>
    public void Remove(RecordRef top)
    {
        var removal = new Removal(top);
        while (Step(ref removal))
        {
            BoundedHold.Pause();
            stale.AwaitRoom();
        }
    }

    /// <summary>
    /// Drops some of what is no longer in use: names that a dead process has left, and pages of dead files. False if nothing is
    /// left.
    /// </summary>
    public bool DropSome() => RemoveLeft() | dead.DropSome();

    /// <summary>
    /// Removes one name below a directory that keeps its own: that of a file, or of an empty directory. False if there is none.
    /// </summary>
    /// <param name="top">The directory.</param>
    /// <param name="contents">The pages of a file that has no name any more.</param>
    public bool RemoveOne(RecordRef top, out PageHandle? contents)
    {
        contents = null;
        RecordRef died;
        stale.AwaitRoom();
        using (hold.Enter())
        {
            var at = top;
            for (var depth = 0; ; depth++)
            {
                hold.Take();
                var entry = index.Next(at, 0);
                if (entry.IsNone) return false;
                var whole = names.Follow(entry, out var child) == Errno.Ok;
                if (whole && inodes[child].IsDirectory && !index.IsEmpty(child) && depth < BoundedHold.Most)
                {
                    at = child;
                    continue;
                }
                if (whole && inodes[child].IsDirectory && !index.IsEmpty(child)) return false;
                if (whole && !TryNote(at, entry, child)) return true;
                names.Take(entry, child);
                records.Free(entry);
                died = whole ? names.Drop(at, child) : RecordRef.None;
                if (whole && inodes[child] is { IsRegular: true, Links: 0 } file)
                    contents = new PageHandle(new PoolId(file.Pool), FilePages.ObjectOf(child, in file), 0);
                break;
            }
        }
        stale.Tell();
        dead.Reap(died);
        return true;
    }

    private bool RemoveLeft()
    {
        // This thread may be one that the kernel waits for: it goes on when the kernel has been told.
        if (stale.IsFull) return false;
        lock (_gate)
        {
            if (_removal.Top.IsNone && !TakeFirstLeft()) return false;
            if (!Step(ref _removal)) _removal = default;
        }
        BoundedHold.Pause();
        return true;
    }

    private bool TakeFirstLeft()
    {
        if (_firstLeft.IsNone) return false;
        var top = _firstLeft;
        _removal = new Removal(top);
        _firstLeft = RecordRef.None;
        // The next recovery takes care of a damaged one, and of those behind it.
        if (!inodes.IsWhole(top)) return true;
        _firstLeft = new RecordRef(inodes[top].Parent);
        inodes[top].Parent = 0;
        return true;
    }

    /// <summary>One hold. False if nothing is left.</summary>
    private bool Step(ref Removal removal)
    {
        Span<RecordRef> died = stackalloc RecordRef[RemovedAtOnce + 1];
        var count = 0;
        var done = false;
        using (hold.Enter())
        {
            try
            {
                // It may have been removed meanwhile, and its place reused.
                if (!inodes.IsWhole(removal.At) || inodes[removal.At].Generation != removal.Generation
                    || !inodes[removal.At].IsDirectory)
                    removal.At = removal.Top;
                done = RemoveSome(removal.Top, ref removal.At, died, ref count);
                removal.Generation = inodes[removal.At].Generation;
            }
            catch (DamagedRecordException)
            {
                // What cannot be reached from here is left to the next recovery.
                if (inodes.IsWhole(removal.At)) inodes[removal.At].Children = 0;
                else done = removal.At == removal.Top;
                removal.At = removal.Top;
            }
            if (done && LetGo(removal.Top) is { IsNone: false } top) died[count++] = top;
        }
        stale.Tell();
        dead.Reap(died[..count]);
        return !done;
    }

    /// <summary>Ends the hold on a directory. Returns the inode if it is dead now.</summary>
    private RecordRef LetGo(RecordRef top)
    {
        pools.Ending--;
        if (!inodes.IsWhole(top)) return RecordRef.None;
        inodes[top].Lower(InodeFlags.Held);
        return dead.IfDead(top);
    }

    private bool RemoveSome(RecordRef top, ref RecordRef at, Span<RecordRef> died, ref int count)
    {
        for (var step = 0; step < RemovedAtOnce; step++)
        {
            hold.Take();
            var entry = index.Next(at, 0);
            if (entry.IsNone)
            {
                if (at == top) return true;
                at = new RecordRef(inodes[at].Parent);
                if (!inodes.IsWhole(at)) at = top;
                continue;
            }
            var whole = names.Follow(entry, out var child) == Errno.Ok;
            if (whole && inodes[child].IsDirectory && !index.IsEmpty(child))
            {
                at = child;
                continue;
            }
            if (whole && !TryNote(at, entry, child)) return false;
            names.Take(entry, child);
            records.Free(entry);
            if (whole && names.Drop(at, child) is { IsNone: false } inode) died[count++] = inode;
        }
        return false;
    }

    /// <summary>
    /// Notes a name for the kernel, if it remembers what the name leads to. False if there is no room for it now.
    /// </summary>
    private bool TryNote(RecordRef directory, RecordRef entry, RecordRef child) =>
        inodes[child].Lookups == 0 || stale.TryAdd(directory, index.Name(entry));
}
