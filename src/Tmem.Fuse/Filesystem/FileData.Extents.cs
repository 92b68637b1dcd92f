using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Filesystem;

/// <summary>Contents of files: size, holes, and where data is.</summary>
internal sealed partial class FileData
{
    private const uint KeepSize = 1;
    private const uint PunchHole = 2;
    private const uint ZeroRange = 0x10;

    private const uint SeekData = 3;
    private const uint SeekHole = 4;

    /// <summary>Holes of at most this many pages are punched page by page, while others read and write the file.</summary>
    private const ulong SmallHolePages = 1024;

    /// <summary>
    /// Pages that are dropped under one hold of a file's lock: 0.1 to 0.4 ms. What waits for the lock is served before it is taken again.
    /// </summary>
    private const uint PagesAStep = 1024;

    /// <summary>Nodes of 64 pages that SEEK_HOLE looks at before it answers with the end of the file, which is always a right answer.</summary>
    private const int SeekHoleNodes = 1 << 15;

    /// <summary>For tests: called before each step of work that is done in steps; what it throws stands for a kill.</summary>
    internal Action? BeforeStep { get; set; }

    /// <summary>
    /// Sets the size. A shorter file is shorter at once: what it loses is dropped in steps behind its end, and whoever makes it grow meanwhile
    /// drops the rest first. It never fails for want of room: where the rest of the last page cannot be cleared (its zeros need a slot while
    /// the old page still has its own), it stays as it is, which nobody sees until the file grows. ENOSPC if it is to grow over such a rest and
    /// there is still no room.
    /// </summary>
    public Errno Truncate(RecordRef file, ulong size)
    {
        if (size > FilePages.MaximumSize) return Errno.EFBIG;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file, in inode);
        while (true)
        {
            _files.EnterExclusive(stripe);
            var old = Volatile.Read(ref inode.Size);
            var mustSettle = size > old && IsUnsettled(in inode);
            if (!mustSettle)
            {
                // In this order: whoever takes up the region in between finds a file that is to lose what lies behind its end, and it does not.
                if (size < old) inode.Raise(InodeFlags.StalePages);
                BeforeStep?.Invoke();
                Volatile.Write(ref inode.Size, size);
                Touch(ref inode);
            }
            _files.ExitExclusive(stripe);
            if (!mustSettle) break;
            var error = Settle(file, ref inode);
            if (error != Errno.Ok) return error;
        }
        // Also what one that was cut short has left: this request may be the same one.
        if (inode.Has(InodeFlags.StalePages)) Settle(file, ref inode);
        return Errno.Ok;
    }

    /// <summary>Whether something may be stored behind the end of the file that must go before it grows.</summary>
    private static bool IsUnsettled(in InodeRecord inode) => inode.Has(InodeFlags.StalePages) || inode.Has(InodeFlags.StaleTail);

    /// <summary>
    /// Enters a file's lock, shared, to make it reach at least to <paramref name="end"/>. If it is to grow over something stale, that goes first:
    /// ENOSPC, and not entered, if there is no room to clear it.
    /// </summary>
    private Errno EnterToReach(RecordRef file, ref InodeRecord inode, int stripe, ulong end)
    {
        while (true)
        {
            _files.EnterShared(stripe);
            // Both change under the lock held alone.
            if (!IsUnsettled(in inode) || end <= Volatile.Read(ref inode.Size)) return Errno.Ok;
            _files.ExitShared(stripe);
            var error = Settle(file, ref inode);
            if (error != Errno.Ok) return error;
        }
    }

    /// <summary>
    /// Finishes what truncations have left behind the end of the file: drops the pages in steps, then clears the rest of the last page. ENOSPC if
    /// there is no room for that yet. While it is not finished nobody lets the file grow, so the end only comes nearer.
    /// </summary>
    private Errno Settle(RecordRef file, ref InodeRecord inode)
    {
        var stripe = FileStripe(file, in inode);
        while (true)
        {
            _files.EnterExclusive(stripe);
            try
            {
                if (!IsUnsettled(in inode)) return Errno.Ok;
                BeforeStep?.Invoke();
                var pages = new FilePages(_client, file, in inode);
                var next = PagesFor(inode.Size);
                if (!pages.FlushSome(ref next, FilePages.MaximumPages, PagesAStep)) return ClearTail(in pages, file, ref inode);
            }
            finally
            {
                _files.ExitExclusive(stripe);
            }
            _files.GiveWay(stripe);
        }
    }

    private Errno ClearTail(in FilePages pages, RecordRef file, ref InodeRecord inode)
    {
        var head = (int)(inode.Size & PageMask);
        var error = head == 0 ? Errno.Ok : Clear(in pages, file, Page(inode.Size), head, FilePages.PageSize);
        // A damaged page shows nobody what is stale in it.
        if (error == Errno.EIO) error = Errno.Ok;
        BeforeStep?.Invoke();
        if (error == Errno.Ok) inode.Lower(InodeFlags.StaleTail);
        else inode.Raise(InodeFlags.StaleTail);
        inode.Lower(InodeFlags.StalePages);
        return error;
    }

    /// <summary>Whether a mode of fallocate is one that does something: makes a hole or zeros.</summary>
    public static bool Changes(uint mode) => (mode & (PunchHole | ZeroRange)) != 0;

    /// <summary>
    /// fallocate. Room cannot be promised: what a page takes is known once it is compressed. So mode 0, with or without KEEP_SIZE, is
    /// EOPNOTSUPP: posix_fallocate then writes zeros, and nobody is told a lie. ZERO_RANGE in an ephemeral pool is EOPNOTSUPP: a punched page
    /// would read as lost there.
    /// </summary>
    public Errno Allocate(RecordRef file, ulong offset, ulong length, uint mode)
    {
        if (length == 0) return Errno.EINVAL;
        if (offset > FilePages.MaximumSize || length > FilePages.MaximumSize - offset) return Errno.EFBIG;
        var end = offset + length;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var isPunch = mode == (PunchHole | KeepSize);
        var isZeroing = mode is ZeroRange or (ZeroRange | KeepSize) && !inode.IsEphemeral;
        if (!isPunch && !isZeroing) return Errno.EOPNOTSUPP;
        var error = Punch(file, offset, end);
        if (error != Errno.Ok) return error;
        var stripe = FileStripe(file, in inode);
        error = EnterToReach(file, ref inode, stripe, (mode & KeepSize) == 0 ? end : 0);
        if (error != Errno.Ok) return error;
        if ((mode & KeepSize) == 0) Extend(ref inode, end);
        Touch(ref inode);
        _files.ExitShared(stripe);
        return Errno.Ok;
    }

    /// <summary>Where data or a hole begins at or after an offset. ENXIO beyond the end of the file, or if no data follows.</summary>
    public Errno Seek(RecordRef file, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        if (whence is not (SeekData or SeekHole)) return Errno.EINVAL;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file, in inode);
        _files.EnterShared(stripe);
        try
        {
            var size = Volatile.Read(ref inode.Size);
            if (offset >= size) return Errno.ENXIO;
            var pages = new FilePages(_client, file, in inode);
            // No holes in an ephemeral file: a copying tool must meet the lost page and fail, not take it for zeros. Nor in one that somebody may
            // have written to through a mapping: the kernel asks here without writing that back first.
            if (pages.IsEphemeral || inode.MayBeNewerInKernel) found = whence == SeekData ? offset : size;
            else if (whence == SeekHole) found = FindHole(in pages, offset, size);
            else return FindData(in pages, offset, size, out found);
            return Errno.Ok;
        }
        finally
        {
            _files.ExitShared(stripe);
        }
    }

    /// <summary>
    /// Drops pages behind the end of the file and clears the rest of its last page: what a crash in the middle of a write can leave. Not for a
    /// file whose truncation was cut short: that may take long, and is finished when its request comes again, or before the file grows.
    /// </summary>
    public void ClearBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        if (inode.Has(InodeFlags.StalePages)) return;
        inode.Raise(InodeFlags.StaleTail);
        Settle(file, ref inode);
    }

    /// <summary>Finishes a truncation that was cut short and whose request does not come again.</summary>
    public void FinishTruncation(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        if (inode.Has(InodeFlags.StalePages)) Settle(file, ref inode);
    }

    /// <summary>Whether a page is stored behind the end of the file, and no truncation is at it. Waits for writers.</summary>
    public bool HasPagesBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file, in inode);
        _files.EnterExclusive(stripe);
        try
        {
            var first = PagesFor(inode.Size);
            if (first > uint.MaxValue || inode.Has(InodeFlags.StalePages)) return false;
            return new FilePages(_client, file, in inode).Next((uint)first, out _) == TmemStatus.Ok;
        }
        finally
        {
            _files.ExitExclusive(stripe);
        }
    }

    private Errno Punch(RecordRef file, ulong offset, ulong end)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        var pages = new FilePages(_client, file, in inode);
        var stripe = FileStripe(file, in inode);
        if (((offset | end) & PageMask) == 0 && (end - offset) >> FilePages.PageShift <= SmallHolePages)
        {
            _files.EnterShared(stripe);
            var error = PunchPages(in pages, file, offset, end);
            _files.ExitShared(stripe);
            return error;
        }
        return PunchInSteps(in pages, file, ref inode, offset, end);
    }

    /// <summary>
    /// Makes a range zero: whole pages flushed, in steps, then parts of pages cleared. In this order, for the parts may need the room; a failure
    /// then comes after pages are gone, which is what the caller asked for anyhow.
    /// </summary>
    private Errno PunchInSteps(in FilePages pages, RecordRef file, ref InodeRecord inode, ulong offset, ulong end)
    {
        var stripe = FileStripe(file, in inode);
        var next = PagesFor(offset);
        while (true)
        {
            _files.EnterExclusive(stripe);
            try
            {
                // Beyond the end of the file all is zero, so a hole up to the end may as well take the rest of the page. Asked each time: the file
                // may grow between two steps.
                BeforeStep?.Invoke();
                var stop = end >= inode.Size ? Math.Min(PagesFor(end) << FilePages.PageShift, FilePages.MaximumSize) : end;
                if (!pages.FlushSome(ref next, stop >> FilePages.PageShift, PagesAStep)) return ClearParts(in pages, file, offset, stop);
            }
            finally
            {
                _files.ExitExclusive(stripe);
            }
            _files.GiveWay(stripe);
        }
    }

    /// <summary>
    /// Flushes whole pages with the file's lock shared: a discard of swap must not stop the swapping. The page's lock keeps one that is
    /// just being changed in part from coming back with its old bytes.
    /// </summary>
    private Errno PunchPages(in FilePages pages, RecordRef file, ulong offset, ulong end)
    {
        for (var at = offset; at < end; at += FilePages.PageSize)
        {
            var stripe = PageStripe(in pages, file, Page(at));
            _pages.EnterExclusive(stripe);
            var status = pages.Flush(Page(at));
            _pages.ExitExclusive(stripe);
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
        return Errno.Ok;
    }

    /// <summary>Clears what a range has of its first and its last page, where it does not have all of them. The file's lock is held alone.</summary>
    private Errno ClearParts(in FilePages pages, RecordRef file, ulong from, ulong end)
    {
        var endWhole = end >> FilePages.PageShift;
        var head = (int)(from & PageMask);
        var tail = (int)(end & PageMask);
        if (from >> FilePages.PageShift == endWhole && head != 0) return Clear(in pages, file, Page(from), head, tail);
        var error = head == 0 ? Errno.Ok : Clear(in pages, file, Page(from), head, FilePages.PageSize);
        if (error != Errno.Ok || tail == 0) return error;
        return Clear(in pages, file, Page(end), 0, tail);
    }

    /// <summary>Clears bytes of a page, if it is there. A page that is zero afterwards is flushed where holes read as zeros.</summary>
    [SkipLocalsInit]
    private Errno Clear(in FilePages pages, RecordRef file, uint page, int from, int end)
    {
        Span<byte> buffer = stackalloc byte[FilePages.PageSize];
        var stripe = PageStripe(in pages, file, page);
        _pages.EnterExclusive(stripe);
        try
        {
            var status = pages.Get(page, buffer);
            if (status == TmemStatus.Miss) return Errno.Ok;
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
            var range = buffer[from..end];
            if (!range.ContainsAnyExcept((byte)0)) return Errno.Ok;
            range.Clear();
            var empty = !pages.IsEphemeral && !buffer.ContainsAnyExcept((byte)0);
            return StatusErrno.Of(empty ? pages.Flush(page) : pages.Store(page, buffer));
        }
        finally
        {
            _pages.ExitExclusive(stripe);
        }
    }

    private static Errno FindData(in FilePages pages, ulong offset, ulong size, out ulong found)
    {
        found = 0;
        var status = pages.Next(Page(offset), out var page);
        if (status == TmemStatus.Miss) return Errno.ENXIO;
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        found = Math.Max(offset, (ulong)page << FilePages.PageShift);
        return found < size ? Errno.Ok : Errno.ENXIO;
    }

    /// <summary>The common file has no holes, which the count of its pages tells at once; others are walked, in bounds.</summary>
    private static ulong FindHole(in FilePages pages, ulong offset, ulong size)
    {
        if ((ulong)pages.Count() >= PagesFor(size)) return size;
        if (pages.NextHole(Page(offset), SeekHoleNodes, out var hole) != TmemStatus.Ok) return size;
        return Math.Min(size, Math.Max(offset, hole << FilePages.PageShift));
    }

    /// <summary>Pages a file of this many bytes has; the number of its first page beyond.</summary>
    private static ulong PagesFor(ulong size) => (size + PageMask) >> FilePages.PageShift;
}
