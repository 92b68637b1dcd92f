using System.Diagnostics;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Contents of files: size. A truncation is one store, and a mark that the pages behind the end are stale; they are then dropped
/// in steps. Only a writer that grows the file over them waits for that.
/// </summary>
internal sealed partial class FileData
{
    /// <summary>
    /// Pages dropped under one hold of a file's lock: 0.1 to 0.4 ms. Waiters for the lock are served before it is taken again.
    /// </summary>
    private const uint PagesAStep = 1024;

    /// <summary>Steps that a request takes itself before it leaves the rest to another thread.</summary>
    private const int StepsAtOnce = 4;

    /// <summary>For tests: called before each step of work in steps; an exception from it stands for a kill.</summary>
    internal Action? BeforeStep { get; set; }

    /// <summary>
    /// Sets the size. A truncation takes effect at once: the lost pages are dropped in steps behind the end, and a writer that
    /// grows the file meanwhile drops the rest first. It never fails for lack of room: where the rest of the last page cannot be
    /// cleared (its zeros need a slot while the old page still has its own), it stays, invisible until the file grows. ENOSPC if
    /// the file is to grow over such a rest and there is still no room.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="size">The new size.</param>
    /// <param name="mayLeave">Whether another thread can take over long work.</param>
    /// <param name="isLeft">Whether pages are left behind the end, for <see cref="DropBeyondEnd"/>.</param>
    public Errno Truncate(RecordRef file, ulong size, bool mayLeave, out bool isLeft)
    {
        isLeft = false;
        if (size > FilePages.MaximumSize) return Errno.EFBIG;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file, in inode);
        while (!TrySetSize(ref inode, stripe, size))
            if (Settle(file, ref inode) is not Errno.Ok and var error) return error;
        // Also the rest of an interrupted truncation: this request may be the same one, sent again.
        if (!inode.Has(InodeFlags.StalePages)) return Errno.Ok;
        if (!mayLeave) Settle(file, ref inode);
        for (var step = 0; mayLeave && step < StepsAtOnce && (isLeft = SettleStep(file, ref inode, out _)); step++)
            _files.GiveWay(stripe);
        return Errno.Ok;
    }

    /// <summary>False if the file is to grow over something stale.</summary>
    private bool TrySetSize(ref InodeRecord inode, int stripe, ulong size)
    {
        using var held = _files.EnterExclusive(stripe);
        var old = Volatile.Read(ref inode.Size);
        if (size > old && IsUnsettled(in inode)) return false;
        // In this order: an attach in between finds a file marked as stale behind its end, which it is not.
        if (size < old) inode.Raise(InodeFlags.StalePages);
        BeforeStep?.Invoke();
        Volatile.Write(ref inode.Size, size);
        Touch(ref inode);
        return true;
    }

    /// <summary>Drops some pages that a truncation has left behind the end of the file. False if none is left.</summary>
    public bool DropBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        return inode.Has(InodeFlags.StalePages) && SettleStep(file, ref inode, out _);
    }

    /// <summary>Whether stale data may be stored behind the end of the file, which must go before the file grows.</summary>
    private static bool IsUnsettled(in InodeRecord inode) => inode.Has(InodeFlags.StalePages) || inode.Has(InodeFlags.StaleTail);

    /// <summary>
    /// Enters a file's lock, shared, to extend the file at least to <paramref name="end"/>. Stale data that it would grow over is
    /// dropped first: ENOSPC, and the lock not entered, if there is no room to clear it.
    /// </summary>
    private StripedLocks.SharedHold EnterToReach(RecordRef file, ref InodeRecord inode, ulong end, out Errno error)
    {
        error = Errno.Ok;
        while (true)
        {
            var held = _files.EnterShared(FileStripe(file, in inode));
            // Both change only under the exclusive lock.
            if (!IsUnsettled(in inode) || end <= Volatile.Read(ref inode.Size)) return held;
            held.Dispose();
            error = Settle(file, ref inode);
            if (error != Errno.Ok) return default;
        }
    }

    /// <summary>
    /// Finishes the truncations of a file: drops the pages behind its end in steps, then clears the rest of the last page. ENOSPC
    /// if there is no room for that yet. Until it is finished the file cannot grow, so its end can only move back.
    /// </summary>
    private Errno Settle(RecordRef file, ref InodeRecord inode)
    {
        var stripe = FileStripe(file, in inode);
        Errno error;
        while (SettleStep(file, ref inode, out error)) _files.GiveWay(stripe);
        return error;
    }

    /// <summary>Takes one step. False if it was the last.</summary>
    private bool SettleStep(RecordRef file, ref InodeRecord inode, out Errno error)
    {
        error = Errno.Ok;
        using var held = _files.EnterExclusive(FileStripe(file, in inode));
        if (!IsUnsettled(in inode)) return false;
        BeforeStep?.Invoke();
        var pages = new FilePages(_client, file, in inode);
        var next = PagesFor(inode.Size);
        if (pages.FlushSome(ref next, FilePages.MaximumPages, PagesAStep)) return true;
        Debug.Assert(!HasPagesBeyondEnd(in pages, in inode), "nothing is stored behind the end of a file that is settled");
        error = ClearTail(in pages, file, ref inode);
        return false;
    }

    private Errno ClearTail(in FilePages pages, RecordRef file, ref InodeRecord inode)
    {
        var head = (int)(inode.Size & PageMask);
        var error = head == 0 ? Errno.Ok : Clear(in pages, file, Page(inode.Size), head, FilePages.PageSize);
        // Stale bytes of a damaged page are never shown.
        if (error == Errno.EIO) error = Errno.Ok;
        BeforeStep?.Invoke();
        if (error == Errno.Ok) inode.Lower(InodeFlags.StaleTail);
        else inode.Raise(InodeFlags.StaleTail);
        inode.Lower(InodeFlags.StalePages);
        return error;
    }

    /// <summary>
    /// Drops pages behind the end of the file and clears the rest of its last page: what a crash in the middle of a write can
    /// leave. Not for an interrupted truncation: that may take long, and is finished when its request comes again, or before the
    /// file grows.
    /// </summary>
    public void ClearBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        if (inode.Has(InodeFlags.StalePages)) return;
        inode.Raise(InodeFlags.StaleTail);
        Settle(file, ref inode);
    }

    /// <summary>Finishes an interrupted truncation whose request does not come again.</summary>
    public void FinishTruncation(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        if (inode.Has(InodeFlags.StalePages)) Settle(file, ref inode);
    }

    /// <summary>Whether a page is stored behind the end of the file and no truncation is under way. Waits for writers.</summary>
    public bool HasPagesBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        using var held = _files.EnterExclusive(FileStripe(file, in inode));
        return !inode.Has(InodeFlags.StalePages) && HasPagesBeyondEnd(new FilePages(_client, file, in inode), in inode);
    }

    private static bool HasPagesBeyondEnd(in FilePages pages, in InodeRecord inode) =>
        PagesFor(inode.Size) is <= uint.MaxValue and var first && pages.Next((uint)first, out _) == TmemStatus.Ok;
}
