using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>Contents of files: holes and data extents.</summary>
internal sealed partial class FileData
{
    private const uint KeepSize = 1;
    private const uint PunchHole = 2;
    private const uint ZeroRange = 0x10;

    private const uint SeekData = 3;
    private const uint SeekHole = 4;

    /// <summary>Holes of at most this many pages are punched page by page, while other threads read and write the file.</summary>
    private const ulong SmallHolePages = 1024;

    /// <summary>
    /// Nodes of 64 pages that SEEK_HOLE visits before it answers with the end of the file, which is always a correct answer.
    /// </summary>
    private const int SeekHoleNodes = 1 << 15;

    /// <summary>Whether a mode of fallocate is supported: one that makes a hole or zeros.</summary>
    public static bool Changes(uint mode) => (mode & (PunchHole | ZeroRange)) != 0;

    /// <summary>
    /// fallocate. Room cannot be reserved: a page's size is known only once it is compressed. So mode 0, with or without
    /// KEEP_SIZE, is EOPNOTSUPP: posix_fallocate then writes zeros, and no promise is broken. ZERO_RANGE in an ephemeral pool is
    /// EOPNOTSUPP: a punched page would read as lost there.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where.</param>
    /// <param name="length">How much.</param>
    /// <param name="mode">FALLOC_FL_*.</param>
    /// <param name="mayLeave">Whether another thread can take over long work.</param>
    /// <param name="left">The whole pages still to drop, for <see cref="DropRange"/>.</param>
    public Errno Allocate(RecordRef file, ulong offset, ulong length, uint mode, bool mayLeave,
        out (ulong First, uint Pages) left)
    {
        left = default;
        if (length == 0) return Errno.EINVAL;
        if (offset > FilePages.MaximumSize || length > FilePages.MaximumSize - offset) return Errno.EFBIG;
        var end = offset + length;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var isPunch = mode == (PunchHole | KeepSize);
        var isZeroing = mode is ZeroRange or (ZeroRange | KeepSize) && !inode.IsEphemeral;
        if (!isPunch && !isZeroing) return Errno.EOPNOTSUPP;
        var error = Punch(file, offset, end, mayLeave, out left);
        if (error != Errno.Ok) return error;
        using var held = EnterToReach(file, ref inode, (mode & KeepSize) == 0 ? end : 0, out error);
        if (error != Errno.Ok) return error;
        if ((mode & KeepSize) == 0) Extend(ref inode, end);
        Touch(ref inode);
        return Errno.Ok;
    }

    /// <summary>
    /// Where data or a hole begins at or after an offset. ENXIO beyond the end of the file, or if no data follows.
    /// </summary>
    public Errno Seek(RecordRef file, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        if (whence is not (SeekData or SeekHole)) return Errno.EINVAL;
        ref var inode = ref _records.Get<InodeRecord>(file);
        using var held = _files.EnterShared(FileStripe(file, in inode));
        var size = Volatile.Read(ref inode.Size);
        if (offset >= size) return Errno.ENXIO;
        var pages = new FilePages(_client, file, in inode);
        // No holes in an ephemeral file: a copying tool must meet the lost page and fail, not take it for zeros. Nor in a file
        // that may have been written through a mapping: the kernel does not write that back before it asks.
        if (pages.IsEphemeral || inode.MayBeNewerInKernel) found = whence == SeekData ? offset : size;
        else if (whence == SeekHole) found = FindHole(in pages, offset, size);
        else return FindData(in pages, offset, size, out found);
        return Errno.Ok;
    }

    /// <summary>Drops some of the pages left of a range. False if none is left.</summary>
    public bool DropRange(RecordRef file, ulong first, uint count)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        using var held = _files.EnterExclusive(FileStripe(file, in inode));
        BeforeStep?.Invoke();
        return new FilePages(_client, file, in inode).FlushSome(ref first, first + count, PagesAStep);
    }

    /// <summary>Drops some pages of a file that is no longer in use. False if none is left.</summary>
    public bool DropAll(RecordRef file)
    {
        BeforeStep?.Invoke();
        var next = 0UL;
        return Pages(file).FlushSome(ref next, FilePages.MaximumPages, PagesAStep);
    }

    private Errno Punch(RecordRef file, ulong offset, ulong end, bool mayLeave, out (ulong First, uint Pages) left)
    {
        left = default;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var pages = new FilePages(_client, file, in inode);
        if (((offset | end) & PageMask) == 0 && (end - offset) >> FilePages.PageShift <= SmallHolePages)
            return PunchPages(in pages, file, in inode, offset, end);
        return PunchInSteps(in pages, file, ref inode, offset, end, mayLeave, out left);
    }

    /// <summary>
    /// Zeroes a range: flushes whole pages, in steps, then clears parts of pages. In this order, as the parts may need the room;
    /// a failure then comes after pages are gone, which the caller asked for anyway.
    /// </summary>
    /// <remarks>Only whole pages are left to another thread: the parts are cleared before, if there is room.</remarks>
    private Errno PunchInSteps(in FilePages pages, RecordRef file, ref InodeRecord inode, ulong offset, ulong end, bool mayLeave,
        out (ulong First, uint Pages) left)
    {
        left = default;
        var stripe = FileStripe(file, in inode);
        var next = PagesFor(offset);
        for (var step = 0; ; step++)
        {
            using (_files.EnterExclusive(stripe))
            {
                // Everything beyond the end of the file is zero, so a hole up to the end may take the rest of the page too.
                // Checked each time: the file may grow between two steps.
                BeforeStep?.Invoke();
                var stop = end >= inode.Size ? Math.Min(PagesFor(end) << FilePages.PageShift, FilePages.MaximumSize) : end;
                if (!pages.FlushSome(ref next, stop >> FilePages.PageShift, PagesAStep))
                    return ClearParts(in pages, file, offset, stop);
                if (mayLeave && step >= StepsAtOnce - 1 && ClearParts(in pages, file, offset, stop) == Errno.Ok)
                {
                    // The file may grow within the last page once the lock is released.
                    if (stop > end) pages.Flush(Page(end));
                    var last = end >> FilePages.PageShift;
                    if (last > next) left = (next, (uint)Math.Min(last - next, uint.MaxValue));
                    return Errno.Ok;
                }
            }
            _files.GiveWay(stripe);
        }
    }

    /// <summary>
    /// Flushes whole pages with the file's lock shared: a discard of swap must not stall the swapping. The page's lock keeps a
    /// partial write under way from restoring the page's old bytes.
    /// </summary>
    private Errno PunchPages(in FilePages pages, RecordRef file, in InodeRecord inode, ulong offset, ulong end)
    {
        using var held = _files.EnterShared(FileStripe(file, in inode));
        for (var at = offset; at < end; at += FilePages.PageSize)
        {
            using var page = _pages.EnterExclusive(PageStripe(in pages, file, Page(at)));
            var status = pages.Flush(Page(at));
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
        return Errno.Ok;
    }

    /// <summary>
    /// Clears the part of a range in its first and last page, where it does not cover them. The caller holds the file's lock
    /// alone.
    /// </summary>
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

    /// <summary>
    /// Clears bytes of a page, if it is stored. A page that is zero afterwards is flushed where holes read as zeros.
    /// </summary>
    [SkipLocalsInit]
    private Errno Clear(in FilePages pages, RecordRef file, uint page, int from, int end)
    {
        Span<byte> buffer = stackalloc byte[FilePages.PageSize];
        using var held = _pages.EnterExclusive(PageStripe(in pages, file, page));
        var status = pages.Get(page, buffer);
        if (status == TmemStatus.Miss) return Errno.Ok;
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        var range = buffer[from..end];
        if (!range.ContainsAnyExcept((byte)0)) return Errno.Ok;
        range.Clear();
        var empty = !pages.IsEphemeral && !buffer.ContainsAnyExcept((byte)0);
        return StatusErrno.Of(empty ? pages.Flush(page) : pages.Store(page, buffer));
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

    /// <summary>Most files have no holes, as their count of pages shows at once; the others are walked, within bounds.</summary>
    private static ulong FindHole(in FilePages pages, ulong offset, ulong size)
    {
        if ((ulong)pages.Count() >= PagesFor(size)) return size;
        if (pages.NextHole(Page(offset), SeekHoleNodes, out var hole) != TmemStatus.Ok) return size;
        return Math.Min(size, Math.Max(offset, hole << FilePages.PageShift));
    }

    /// <summary>Pages of a file of this many bytes; the number of the first page beyond it.</summary>
    private static ulong PagesFor(ulong size) => (size + PageMask) >> FilePages.PageShift;
}
