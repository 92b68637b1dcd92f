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

    /// <summary>Pages SEEK_HOLE looks at before it answers with the end of the file, which is always a right answer.</summary>
    private const int SeekHoleSteps = 1 << 20;

    /// <summary>
    /// Sets the size. Pages beyond it are flushed. A shorter file never fails for want of room: where the rest of the last page cannot be
    /// cleared (its zeros need a slot while the old page still has its own), it stays as it is, which nobody sees until the file grows.
    /// ENOSPC if it is to grow over such a rest and there is still no room.
    /// </summary>
    public Errno Truncate(RecordRef file, ulong size)
    {
        if (size > FilePages.MaximumSize) return Errno.EFBIG;
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file);
        _files.EnterExclusive(stripe);
        try
        {
            var error = Errno.Ok;
            if (size < Volatile.Read(ref inode.Size))
            {
                var pages = new FilePages(_client, file, in inode);
                error = Discard(in pages, file, size, FilePages.MaximumSize);
                if (error == Errno.ENOSPC) inode.Flags |= InodeFlags.StaleTail;
                else if (error != Errno.Ok) return error;
                else inode.Flags &= ~InodeFlags.StaleTail;
            }
            else if (size > inode.Size && (error = ClearTail(file, ref inode)) != Errno.Ok)
            {
                return error;
            }
            Volatile.Write(ref inode.Size, size);
            Touch(ref inode);
            return Errno.Ok;
        }
        finally
        {
            _files.ExitExclusive(stripe);
        }
    }

    /// <summary>Clears what a truncation in a full store had to leave, before a file grows. ENOSPC if there is no room yet.</summary>
    private Errno SettleTail(RecordRef file, ref InodeRecord inode)
    {
        if ((inode.Flags & InodeFlags.StaleTail) == 0) return Errno.Ok;
        var stripe = FileStripe(file);
        _files.EnterExclusive(stripe);
        try
        {
            return ClearTail(file, ref inode);
        }
        finally
        {
            _files.ExitExclusive(stripe);
        }
    }

    private Errno ClearTail(RecordRef file, ref InodeRecord inode)
    {
        if ((inode.Flags & InodeFlags.StaleTail) == 0) return Errno.Ok;
        var head = (int)(inode.Size & PageMask);
        var pages = new FilePages(_client, file, in inode);
        var error = head == 0 ? Errno.Ok : Clear(in pages, file, Page(inode.Size), head, FilePages.PageSize);
        if (error == Errno.Ok) inode.Flags &= ~InodeFlags.StaleTail;
        return error;
    }

    /// <summary>
    /// fallocate. Mode 0 promises no room: what a page takes is known only once it is compressed, so it sets the size and nothing else,
    /// as on other compressing file systems. ZERO_RANGE in an ephemeral pool is EOPNOTSUPP: a punched page would read as lost there.
    /// </summary>
    public Errno Allocate(RecordRef file, ulong offset, ulong length, uint mode)
    {
        if (length == 0) return Errno.EINVAL;
        if (offset > FilePages.MaximumSize || length > FilePages.MaximumSize - offset) return Errno.EFBIG;
        var end = offset + length;
        ref var inode = ref _records.Get<InodeRecord>(file);
        Errno error;
        switch (mode)
        {
            case 0 or KeepSize:
                error = Errno.Ok;
                break;
            case PunchHole | KeepSize:
                error = Punch(file, offset, end);
                break;
            case ZeroRange or (ZeroRange | KeepSize):
                if (inode.IsEphemeral) return Errno.EOPNOTSUPP;
                error = Punch(file, offset, end);
                break;
            default:
                return Errno.EOPNOTSUPP;
        }
        if (error == Errno.Ok) error = SettleTail(file, ref inode);
        if (error != Errno.Ok) return error;
        var stripe = FileStripe(file);
        _files.EnterShared(stripe);
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
        var stripe = FileStripe(file);
        _files.EnterShared(stripe);
        try
        {
            var size = Volatile.Read(ref inode.Size);
            if (offset >= size) return Errno.ENXIO;
            var pages = new FilePages(_client, file, in inode);
            // No holes in an ephemeral file: a copying tool must meet the lost page and fail, not take it for zeros.
            if (pages.IsEphemeral) found = whence == SeekData ? offset : size;
            else if (whence == SeekHole) found = FindHole(in pages, offset, size);
            else return FindData(in pages, offset, size, out found);
            return Errno.Ok;
        }
        finally
        {
            _files.ExitShared(stripe);
        }
    }

    /// <summary>Drops pages behind the end of the file and clears the rest of its last page: what a crash in the middle of a write can leave.</summary>
    public Errno ClearBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        var pages = new FilePages(_client, file, in inode);
        return Discard(in pages, file, inode.Size, FilePages.MaximumSize);
    }

    /// <summary>Whether a page is stored behind the end of the file. Waits for writers.</summary>
    public bool HasPagesBeyondEnd(RecordRef file)
    {
        ref var inode = ref _records.Get<InodeRecord>(file);
        var stripe = FileStripe(file);
        _files.EnterExclusive(stripe);
        try
        {
            var first = PagesFor(inode.Size);
            if (first > uint.MaxValue) return false;
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
        var stripe = FileStripe(file);
        if (((offset | end) & PageMask) == 0 && (end - offset) >> FilePages.PageShift <= SmallHolePages)
        {
            _files.EnterShared(stripe);
            var error = PunchPages(in pages, file, offset, end);
            _files.ExitShared(stripe);
            return error;
        }
        _files.EnterExclusive(stripe);
        try
        {
            // Beyond the end of the file all is zero, so a hole up to the end may as well take the rest of the page.
            if (end >= inode.Size) end = Math.Min(PagesFor(end) << FilePages.PageShift, FilePages.MaximumSize);
            return Discard(in pages, file, offset, end);
        }
        finally
        {
            _files.ExitExclusive(stripe);
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
            var stripe = PageStripe(file, Page(at));
            _pages.EnterExclusive(stripe);
            var status = pages.Flush(Page(at));
            _pages.ExitExclusive(stripe);
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
        return Errno.Ok;
    }

    /// <summary>
    /// Makes a range zero: whole pages flushed, parts of pages cleared. The file's lock is held alone. Whole pages go first: the parts
    /// may need the room. Then a failure may come after pages are gone, which is what the caller asked for anyhow.
    /// </summary>
    private Errno Discard(in FilePages pages, RecordRef file, ulong from, ulong end)
    {
        var firstWhole = PagesFor(from);
        var endWhole = end >> FilePages.PageShift;
        if (firstWhole < endWhole)
        {
            var status = pages.FlushRange((uint)firstWhole, (uint)(endWhole - 1));
            if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        }
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
        var stripe = PageStripe(file, page);
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
        var end = PagesFor(size);
        if ((ulong)pages.Count() >= end) return size;
        var page = offset >> FilePages.PageShift;
        for (var steps = 0; page < end; page++, steps++)
        {
            if (steps == SeekHoleSteps) return size;
            if (pages.Next((uint)page, out var next) != TmemStatus.Ok || next != page)
                return Math.Min(size, Math.Max(offset, page << FilePages.PageShift));
        }
        return size;
    }

    /// <summary>Pages a file of this many bytes has; the number of its first page beyond.</summary>
    private static ulong PagesFor(ulong size) => (size + PageMask) >> FilePages.PageShift;
}
