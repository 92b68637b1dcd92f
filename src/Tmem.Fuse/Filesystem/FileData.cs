using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Contents of files: read and write. Size is in FileData.Size.cs, holes are in FileData.Extents.cs.
/// Invariant: nothing but zeros is stored beyond the end of the file, so that it grows by a change of its size alone. Where that
/// does not hold yet, because a truncation is under way or found the store full, the inode has a flag (InodeFlags.StalePages,
/// StaleTail), and the file is cleaned before it grows.
/// A file's lock: reads and writes share it, so both run in parallel on one file; an operation that shrinks the file or drops
/// many of its pages holds it alone, for a bounded number of pages at a time. Within it, the page's lock is shared by writers of
/// the whole page (the engine orders them) and held alone for a read-modify-write, so that this loses no whole page written
/// meanwhile. The size grows under the page's lock, after the page is stored: no reader sees a size whose page is not stored yet.
/// Nothing here allocates managed memory.
/// </summary>
internal sealed partial class FileData
{
    private const int PageMask = FilePages.PageSize - 1;

    private readonly TmemClient _client;
    private readonly RecordStore _records;
    private readonly StripedLocks _files = new(LockRank.File, 4, bytes: 64);
    private readonly StripedLocks _pages = new(LockRank.Page, 32, bytes: 16);

    public FileData(TmemClient client, RecordStore records)
    {
        _client = client;
        _records = records;
    }

    /// <summary>The pages of a file.</summary>
    public FilePages Pages(RecordRef file) => new(_client, file, in _records.Get<InodeRecord>(file));

    /// <summary>
    /// Reads up to the end of the file. ENODATA if a page of an ephemeral file is lost, EIO if a page is damaged: then nothing
    /// counts as read. The rest of a page may be written behind the last byte read, never behind <paramref name="destination"/>.
    /// </summary>
    public Errno Read(RecordRef file, ulong offset, Span<byte> destination, out int length)
    {
        length = 0;
        ref var inode = ref _records.Get<InodeRecord>(file);
        using var held = _files.EnterShared(FileStripe(file, in inode));
        var size = Volatile.Read(ref inode.Size);
        if (offset >= size) return Errno.Ok;
        var count = (int)Math.Min((ulong)destination.Length, size - offset);
        var pages = new FilePages(_client, file, in inode);
        for (var done = 0; done < count;)
        {
            var at = offset + (ulong)done;
            var within = (int)(at & PageMask);
            var rest = destination[done..];
            // Whole pages, and the last page of the file if the buffer has room for all of it.
            var run = within != 0 ? 0 : Math.Min(Math.Min(rest.Length, count - done + PageMask) >> FilePages.PageShift,
                FilePages.LongestRun);
            var part = Math.Min(run != 0 ? run << FilePages.PageShift : FilePages.PageSize - within, count - done);
            var status = run != 0 ? pages.GetRun(Page(at), rest[..(run << FilePages.PageShift)])
                : ReadPart(in pages, Page(at), within, rest[..part]);
            if (status != TmemStatus.Ok && (status != TmemStatus.Miss || pages.IsEphemeral)) return StatusErrno.Of(status);
            done += part;
        }
        length = count;
        return Errno.Ok;
    }

    /// <summary>As <see cref="FilePages.GetRun"/>, for part of a page.</summary>
    [SkipLocalsInit]
    private static TmemStatus ReadPart(in FilePages pages, uint page, int within, Span<byte> destination)
    {
        Span<byte> buffer = stackalloc byte[FilePages.PageSize];
        var status = pages.Get(page, buffer);
        if (status == TmemStatus.Ok) buffer.Slice(within, destination.Length).CopyTo(destination);
        else destination.Clear();
        return status;
    }

    /// <summary>
    /// Writes page by page. When a page cannot be stored (ENOSPC; ENODATA for a part of a lost page) the bytes before it are
    /// written and counted; the error is returned only if there are none. EFBIG at 16 TiB.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where.</param>
    /// <param name="data">What.</param>
    /// <param name="fromMapping">Whether the kernel writes back an earlier write to a mapping.</param>
    /// <param name="written">How much of it.</param>
    public Errno Write(RecordRef file, ulong offset, ReadOnlySpan<byte> data, bool fromMapping, out uint written)
    {
        written = 0;
        if (data.IsEmpty) return Errno.Ok;
        if (offset >= FilePages.MaximumSize) return Errno.EFBIG;
        data = data[..(int)Math.Min((ulong)data.Length, FilePages.MaximumSize - offset)];
        ref var inode = ref _records.Get<InodeRecord>(file);
        using var held = EnterToReach(file, ref inode, offset + (ulong)data.Length, out var error);
        if (error != Errno.Ok) return error;
        var pages = new FilePages(_client, file, in inode);
        var done = 0;
        while (done < data.Length)
        {
            var at = offset + (ulong)done;
            var within = (int)(at & PageMask);
            var part = data.Slice(done, Math.Min(FilePages.PageSize - within, data.Length - done));
            error = part.Length == FilePages.PageSize
                ? WritePage(in pages, file, ref inode, at, part)
                : WritePart(in pages, file, ref inode, at, part);
            if (error != Errno.Ok) break;
            done += part.Length;
        }
        written = (uint)done;
        if (done == 0) return error;
        Touch(ref inode, fromMapping);
        return Errno.Ok;
    }

    private Errno WritePage(in FilePages pages, RecordRef file, ref InodeRecord inode, ulong at, ReadOnlySpan<byte> data)
    {
        using var held = _pages.EnterShared(PageStripe(in pages, file, Page(at)));
        var status = pages.Store(Page(at), data);
        if (status == TmemStatus.Ok) Extend(ref inode, at + (ulong)data.Length);
        return StatusErrno.Of(status);
    }

    [SkipLocalsInit]
    private Errno WritePart(in FilePages pages, RecordRef file, ref InodeRecord inode, ulong at, ReadOnlySpan<byte> data)
    {
        Span<byte> buffer = stackalloc byte[FilePages.PageSize];
        var within = (int)(at & PageMask);
        using var held = _pages.EnterExclusive(PageStripe(in pages, file, Page(at)));
        var status = pages.Get(Page(at), buffer);
        if (status == TmemStatus.Miss)
        {
            if (pages.IsEphemeral && !CoversOldBytes(ref inode, at, within, data.Length)) return Errno.ENODATA;
            buffer.Clear();
        }
        else if (status != TmemStatus.Ok)
        {
            return StatusErrno.Of(status);
        }
        data.CopyTo(buffer[within..]);
        status = pages.Store(Page(at), buffer);
        if (status == TmemStatus.Ok) Extend(ref inode, at + (ulong)data.Length);
        return StatusErrno.Of(status);
    }

    /// <summary>
    /// Whether a write covers every byte of its page below the end of the file: then it may replace a lost page.
    /// </summary>
    private static bool CoversOldBytes(ref InodeRecord inode, ulong at, int within, int length)
    {
        var start = at - (ulong)within;
        var size = Volatile.Read(ref inode.Size);
        if (size <= start) return true;
        var old = (int)Math.Min(size - start, FilePages.PageSize);
        return within == 0 && length >= old;
    }

    /// <summary>Raises the size to at least <paramref name="end"/>.</summary>
    private static void Extend(ref InodeRecord inode, ulong end)
    {
        Debug.Assert(end <= FilePages.MaximumSize, "no file grows beyond the largest there may be");
        var seen = Volatile.Read(ref inode.Size);
        while (seen < end)
        {
            var before = Interlocked.CompareExchange(ref inode.Size, end, seen);
            if (before == seen) return;
            seen = before;
        }
    }

    /// <summary>
    /// Notes a change of the contents. A change through a mapping happened before the kernel writes it back, so it does not
    /// override a modification time set meanwhile, until the kernel has written back all earlier changes: other file systems see
    /// the mapping's page faults and take the time of those.
    /// </summary>
    private static void Touch(ref InodeRecord inode, bool fromMapping = false)
    {
        // Before the flag: a time set from here on stays.
        var before = Volatile.Read(ref inode.ModifyTime);
        if (inode.Has(InodeFlags.TimeWasSet))
        {
            if (fromMapping && FileClock.IsRecent(Volatile.Read(ref inode.ChangeTime))) return;
            inode.Lower(InodeFlags.TimeWasSet);
        }
        var now = FileClock.Now();
        if (fromMapping) Interlocked.CompareExchange(ref inode.ModifyTime, now, before);
        else Volatile.Write(ref inode.ModifyTime, now);
        Volatile.Write(ref inode.ChangeTime, now);
    }

    private static uint Page(ulong offset) => (uint)(offset >> FilePages.PageShift);

    private int FileStripe(RecordRef file, in InodeRecord inode) => _files.Stripe(inode.Pool, file.Value, 0);

    private int PageStripe(in FilePages pages, RecordRef file, uint page) => _pages.Stripe(pages.Pool, file.Value, page);
}
