using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// Writes checkpoints to the redo journal and applies it to the image. Pages are gathered in two chunks of memory (4 MiB), so
/// that the last ones can be copied in the standstill and written after it.
/// </summary>
internal sealed unsafe partial class Journal : IDisposable
{
    private const int ChunksInMemory = 2;

    /// <summary>
    /// Disk that the journal keeps between checkpoints: overwriting a file needs no change of its metadata. On a disk with little
    /// room, a part of what is free.
    /// </summary>
    private const long MostKeptBytes = 16 << 20;

    /// <summary>
    /// The least it keeps, however little is free, for a small last checkpoint on a disk that others have filled.
    /// </summary>
    private const long LeastKeptBytes = 256 << 10;
    private const int KeptOfFree = 8;

    private readonly IImageFile _file;
    private readonly long _imageBytes;
    private readonly ImageSpace _space;
    private readonly ImageHashes? _hashes;
    private readonly IChangeTracker? _tracker;
    private byte* _memory = (byte*)NativeMemory.AlignedAlloc(ChunksInMemory * JournalFormat.MostChunkBytes,
        RegionLayout.PageSize);
    private byte* _headPage = (byte*)NativeMemory.AlignedAlloc(JournalFormat.HeadBytes, RegionLayout.PageSize);
    private int _full;
    private JournalHead _head;
    private long _at;

    /// <summary>A journal behind an image of that length.</summary>
    public Journal(IImageFile file, long imageBytes, ImageHashes? hashes = null, IChangeTracker? tracker = null)
    {
        _file = file;
        _imageBytes = imageBytes;
        _space = new ImageSpace(file, imageBytes);
        _hashes = hashes;
        _tracker = tracker;
        NativeMemory.Clear(_headPage, JournalFormat.HeadBytes);
    }

    /// <summary>The number of the last checkpoint begun or found.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>Distinguishes the committed or found journal from any other.</summary>
    public ulong Mark => _head.Hash;

    private JournalHead* Head => (JournalHead*)_headPage;
    private byte* Chunk => _memory + (long)_full * JournalFormat.MostChunkBytes;
    private long Start => _imageBytes;

    public void Begin()
    {
        Sequence++;
        _head = new JournalHead
        {
            Magic = JournalFormat.HeadMagic, Sequence = Sequence, ImageBytes = _imageBytes, Chain = Sequence,
        };
        _at = Start + JournalFormat.HeadBytes;
        _full = 0;
        BeginChunk();
    }

    /// <summary>Copies pages of the region; writes only when the memory for them is full. Returns an errno.</summary>
    public int Add(RegionMemory region, PageSet pages)
    {
        for (long from = 0; pages.NextRun(from, JournalFormat.MostEntries, out var first, out var count); from = first + count)
        {
            if (((ChunkHeader*)Chunk)->Entries == JournalFormat.MostEntries && NextChunk() is var error and not 0) return error;
            count = Math.Min(count, JournalFormat.MostEntries - ((ChunkHeader*)Chunk)->Entries);
            Copy(region, first, (int)count);
        }
        return 0;
    }

    /// <summary>Writes the gathered pages. Returns an errno.</summary>
    public int Flush()
    {
        if (((ChunkHeader*)Chunk)->Entries > 0) _full++;
        for (var i = 0; i < _full; i++)
        {
            var chunk = _memory + (long)i * JournalFormat.MostChunkBytes;
            ref var header = ref *(ChunkHeader*)chunk;
            header.Hash = JournalFormat.HashOf(chunk);
            var bytes = JournalFormat.ChunkBytes(header);
            var error = WriteChunk(chunk, bytes);
            // What lies behind this journal in the file is obsolete.
            if (IsFull(error) && _file.Length > _at && _file.SetLength(_at) == 0) error = WriteChunk(chunk, bytes);
            if (error != 0) return error;
            _at += bytes;
            _head.Chunks++;
            _head.Chain = JournalFormat.Chain(_head.Chain, header.Hash);
        }
        _full = 0;
        BeginChunk();
        return 0;
    }

    /// <summary>
    /// Makes the checkpoint durable: from here on it counts, whatever happens. After an error (errno) it may count or not.
    /// </summary>
    public int Commit()
    {
        if (Flush() is var error and not 0) return error;
        _head.Hash = JournalFormat.HashOf(_head);
        *Head = _head;
        error = _file.Write(Start, _headPage, JournalFormat.HeadBytes);
        if (error == 0) error = _file.Sync();
        if (error == 0) _space.Keep();
        return error;
    }

    /// <summary>Gives back the disk of an abandoned journal.</summary>
    public void Abandon()
    {
        _space.GiveBack();
        _ = _file.SetLength(Start);
    }

    /// <summary>Whether an error means a lack of room; more may come.</summary>
    public static bool IsFull(int error) => error == Tmds.Linux.LibC.ENOSPC || error == Tmds.Linux.LibC.EDQUOT
        || error == Tmds.Linux.LibC.EFBIG;

    /// <summary>
    /// Applies a committed or complete journal to the image, durably. May be repeated. Works piece by piece where there is no
    /// room. Returns an errno.
    /// </summary>
    public int Apply()
    {
        var all = false;
        var error = _head.Magic == JournalFormat.PiecesMagic ? Tmds.Linux.LibC.ENOSPC
            : ForEachChunk(_head, (chunk, _, _) => ApplyChunk((byte*)chunk, 0, null, out _), out all);
        if (error == 0 && !all) error = Tmds.Linux.LibC.EIO;
        if (error == 0) error = _file.Sync();
        if (IsFull(error)) error = ApplyInPieces();
        if (error != 0) return error;
        _space.Synced();
        var free = _file.FreeBytes;
        var kept = free < 0 ? MostKeptBytes : Math.Clamp(free / KeptOfFree, LeastKeptBytes, MostKeptBytes);
        if (_file.Length > Start + kept) _ = _file.SetLength(Start + LeastKeptBytes);
        return 0;
    }

    /// <summary>Removes the journal from the file. Only when the image is durable.</summary>
    public int Remove()
    {
        var error = _file.SetLength(Start);
        return error != 0 ? error : _file.Sync();
    }

    /// <summary>Resets, after the image's file was created anew.</summary>
    public void Forget()
    {
        _space.Forget();
        _head = default;
    }

    public void Dispose()
    {
        _space.Dispose();
        NativeMemory.AlignedFree(_memory);
        NativeMemory.AlignedFree(_headPage);
        _memory = _headPage = null;
    }

    private int NextChunk()
    {
        if (_full == ChunksInMemory - 1) return Flush();
        _full++;
        BeginChunk();
        return 0;
    }

    private void BeginChunk()
    {
        NativeMemory.Clear(Chunk, JournalFormat.IndexBytes);
        *(ChunkHeader*)Chunk = new ChunkHeader { Magic = JournalFormat.ChunkMagic, Sequence = Sequence };
    }

    /// <summary>Copies a run of pages, except those of zeros, into the chunk, which has room for it.</summary>
    private void Copy(RegionMemory region, long first, int count)
    {
        ref var header = ref *(ChunkHeader*)Chunk;
        var pages = Chunk + JournalFormat.ChunkBytes(header);
        region.Read(first * RegionLayout.PageSize, pages, count * RegionLayout.PageSize);
        var to = pages;
        for (var i = 0; i < count; i++)
        {
            var page = new Span<byte>(pages + (long)i * RegionLayout.PageSize, RegionLayout.PageSize);
            _tracker?.Taken(first + i, page);
            var zeros = page.IndexOfAnyExcept((byte)0) < 0;
            JournalFormat.Entries(Chunk)[header.Entries++] = (ulong)(first + i) << 1 | (zeros ? 1UL : 0);
            if (zeros) continue;
            page.CopyTo(new Span<byte>(to, RegionLayout.PageSize));
            to += RegionLayout.PageSize;
            header.Stored++;
        }
    }

    /// <summary>
    /// Appends a chunk to the journal, after allocating its pages' places in the image and noting their hashes. Returns an errno.
    /// </summary>
    private int WriteChunk(byte* chunk, int bytes)
    {
        ref var header = ref *(ChunkHeader*)chunk;
        var entries = JournalFormat.Entries(chunk);
        var pages = chunk + JournalFormat.IndexBytes;
        for (var i = 0; i < header.Entries;)
        {
            var run = RunAt(entries, i, header.Entries);
            var stored = (entries[i] & 1) == 0 ? RegionLayout.PageSize : 0;
            var first = (long)(entries[i] >> 1);
            if (stored > 0 && _space.Reserve(first, run) is var error and not 0) return error;
            for (var page = first; page < first + run; page++, pages += stored)
                _hashes?.Expect(page, new ReadOnlySpan<byte>(pages, stored));
            i += run;
        }
        return _file.Write(_at, chunk, bytes);
    }

    /// <summary>Writes (or punches) a chunk's pages in place, runs of neighbours at once, starting at an entry.</summary>
    /// <param name="chunk">The chunk.</param>
    /// <param name="from">The first entry.</param>
    /// <param name="zeros">Pages that end as zeros and already are; null for none.</param>
    /// <param name="reached">The entry that could not be applied, or the number of entries.</param>
    private int ApplyChunk(byte* chunk, int from, PageSet? zeros, out int reached)
    {
        ref var header = ref *(ChunkHeader*)chunk;
        var entries = JournalFormat.Entries(chunk);
        var pages = chunk + JournalFormat.IndexBytes;
        for (reached = 0; reached < header.Entries;)
        {
            var run = zeros is null ? RunAt(entries, reached, header.Entries) : 1;
            var stored = (entries[reached] & 1) == 0;
            var first = (long)(entries[reached] >> 1);
            if (reached >= from && zeros?.Contains(first) != true
                && ApplyRun(first, run, stored ? pages : null) is var error and not 0) return error;
            if (stored) pages += run * RegionLayout.PageSize;
            reached += run;
        }
        return 0;
    }

    private int ApplyRun(long first, int run, byte* pages)
    {
        if (pages != null)
        {
            _space.Written(first, run);
            return _file.Write(first * RegionLayout.PageSize, pages, run * RegionLayout.PageSize);
        }
        var any = false;
        for (var page = first; page < first + run && !any; page++) any = _space.Has(page);
        if (any && _file.Punch(first * RegionLayout.PageSize, run * RegionLayout.PageSize) is var error and not 0) return error;
        _space.Punched(first, run);
        return 0;
    }

    private static int RunAt(ulong* entries, int from, int count)
    {
        var run = 1;
        while (from + run < count && entries[from + run] == entries[from] + ((ulong)run << 1)) run++;
        return run;
    }
}
