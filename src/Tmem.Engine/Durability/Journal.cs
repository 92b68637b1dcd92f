using System.Runtime.InteropServices;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// Writes checkpoints to the redo journal and carries out what it holds on the image. Pages are gathered in two chunks of memory (4 MiB),
/// so that the last ones can be copied while everybody is held off and written when nobody is.
/// </summary>
internal sealed unsafe class Journal : IDisposable
{
    private const int ChunksInMemory = 2;

    /// <summary>Disk the journal keeps between checkpoints: writing where a file is already written needs no change of its metadata.</summary>
    private const long KeptBytes = 16 << 20;

    private readonly IImageFile _file;
    private readonly long _imageBytes;
    private byte* _memory = (byte*)NativeMemory.AlignedAlloc(ChunksInMemory * JournalFormat.MostChunkBytes, RegionLayout.PageSize);
    private byte* _headPage = (byte*)NativeMemory.AlignedAlloc(JournalFormat.HeadBytes, RegionLayout.PageSize);
    private int _full;
    private JournalHead _head;
    private long _at;

    /// <summary>A journal behind an image of that length.</summary>
    public Journal(IImageFile file, long imageBytes)
    {
        _file = file;
        _imageBytes = imageBytes;
        NativeMemory.Clear(_headPage, JournalFormat.HeadBytes);
    }

    /// <summary>Pages that can be gathered without writing, after <see cref="Flush"/>.</summary>
    public const int PagesInMemory = ChunksInMemory * JournalFormat.MostEntries;

    /// <summary>The number of the last checkpoint begun or found.</summary>
    public ulong Sequence { get; private set; }

    private JournalHead* Head => (JournalHead*)_headPage;
    private byte* Chunk => _memory + (long)_full * JournalFormat.MostChunkBytes;
    private long Start => _imageBytes;

    public void Begin()
    {
        Sequence++;
        _head = new JournalHead { Magic = JournalFormat.HeadMagic, Sequence = Sequence, ImageBytes = _imageBytes, Chain = Sequence };
        _at = Start + JournalFormat.HeadBytes;
        _full = 0;
        BeginChunk();
    }

    /// <summary>Copies pages of the region; writes only when there is no memory left for more. Answers an errno.</summary>
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

    /// <summary>Writes what has been gathered. Answers an errno.</summary>
    public int Flush()
    {
        if (((ChunkHeader*)Chunk)->Entries > 0) _full++;
        for (var i = 0; i < _full; i++)
        {
            var chunk = _memory + (long)i * JournalFormat.MostChunkBytes;
            ref var header = ref *(ChunkHeader*)chunk;
            header.Hash = JournalFormat.HashOf(chunk);
            var bytes = JournalFormat.ChunkBytes(header);
            if (_file.Write(_at, chunk, bytes) is var error and not 0) return error;
            _at += bytes;
            _head.Chunks++;
            _head.Chain = JournalFormat.Chain(_head.Chain, header.Hash);
        }
        _full = 0;
        BeginChunk();
        return 0;
    }

    /// <summary>Makes the checkpoint durable: from here on it happens, whatever comes. Answers an errno; then it may happen or not.</summary>
    public int Commit()
    {
        if (Flush() is var error and not 0) return error;
        _head.Hash = JournalFormat.HashOf(_head);
        *Head = _head;
        error = _file.Write(Start, _headPage, JournalFormat.HeadBytes);
        return error != 0 ? error : _file.Sync();
    }

    /// <summary>Looks for a journal that is all there.</summary>
    /// <returns>An errno. <paramref name="complete"/> is false for one that is not, which is no error: it never counted.</returns>
    public int Find(out bool complete)
    {
        complete = false;
        var error = _file.Read(Start, _headPage, JournalFormat.HeadBytes);
        if (error != 0) return error;
        var head = *Head;
        if (head.Magic != JournalFormat.HeadMagic || head.ImageBytes != _imageBytes || head.Hash != JournalFormat.HashOf(head)) return 0;
        Sequence = head.Sequence;
        var chain = head.Sequence;
        error = ForEachChunk(head, (chunk) =>
        {
            chain = JournalFormat.Chain(chain, ((ChunkHeader*)chunk)->Hash);
            return 0;
        }, out var all);
        if (error != 0) return error;
        complete = all && chain == head.Chain;
        if (complete) _head = head;
        return 0;
    }

    /// <summary>Carries out a journal that was committed or found complete, on the image, durably. May be repeated. Answers an errno.</summary>
    public int Apply()
    {
        var error = ForEachChunk(_head, chunk => ApplyChunk((byte*)chunk), out var all);
        if (error == 0 && !all) error = Tmds.Linux.LibC.EIO;
        if (error == 0) error = _file.Sync();
        if (error == 0 && _at > Start + KeptBytes) _ = _file.SetLength(Start + JournalFormat.HeadBytes);
        return error;
    }

    /// <summary>Leaves the image alone in the file. Only when it is durable.</summary>
    public int Remove()
    {
        var error = _file.SetLength(Start);
        return error != 0 ? error : _file.Sync();
    }

    public void Dispose()
    {
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

    /// <summary>Copies a run of pages into the chunk, which has room for it, but for those of zeros.</summary>
    private void Copy(RegionMemory region, long first, int count)
    {
        ref var header = ref *(ChunkHeader*)Chunk;
        var pages = Chunk + JournalFormat.ChunkBytes(header);
        region.Read(first * RegionLayout.PageSize, pages, count * RegionLayout.PageSize);
        var to = pages;
        for (var i = 0; i < count; i++)
        {
            var page = new Span<byte>(pages + (long)i * RegionLayout.PageSize, RegionLayout.PageSize);
            var zeros = page.IndexOfAnyExcept((byte)0) < 0;
            JournalFormat.Entries(Chunk)[header.Entries++] = (ulong)(first + i) << 1 | (zeros ? 1UL : 0);
            if (zeros) continue;
            page.CopyTo(new Span<byte>(to, RegionLayout.PageSize));
            to += RegionLayout.PageSize;
            header.Stored++;
        }
    }

    private int ForEachChunk(in JournalHead head, Func<nint, int> visit, out bool all)
    {
        all = false;
        _full = 0;
        _at = Start + JournalFormat.HeadBytes;
        for (long i = 0; i < head.Chunks; i++)
        {
            var error = _file.Read(_at, _memory, JournalFormat.IndexBytes);
            if (error != 0) return error;
            ref var header = ref *(ChunkHeader*)_memory;
            if (header.Magic != JournalFormat.ChunkMagic || header.Sequence != head.Sequence) return 0;
            if (header.Entries is < 1 or > JournalFormat.MostEntries || header.Stored < 0 || header.Stored > header.Entries) return 0;
            var pages = JournalFormat.ChunkBytes(header) - JournalFormat.IndexBytes;
            if (pages > 0) error = _file.Read(_at + JournalFormat.IndexBytes, _memory + JournalFormat.IndexBytes, pages);
            if (error != 0) return error;
            if (header.Hash != JournalFormat.HashOf(_memory) || !IsSound()) return 0;
            error = visit((nint)_memory);
            if (error != 0) return error;
            _at += JournalFormat.IndexBytes + pages;
        }
        all = true;
        return 0;
    }

    /// <summary>Whether the chunk in memory speaks of pages of the image alone.</summary>
    private bool IsSound()
    {
        ref var header = ref *(ChunkHeader*)_memory;
        var stored = 0;
        for (var i = 0; i < header.Entries; i++)
        {
            var entry = JournalFormat.Entries(_memory)[i];
            if (entry >> 1 >= (ulong)(_imageBytes / RegionLayout.PageSize)) return false;
            if ((entry & 1) == 0) stored++;
        }
        return stored == header.Stored;
    }

    /// <summary>Writes (or punches) a chunk's pages in place, runs of neighbours at once.</summary>
    private int ApplyChunk(byte* chunk)
    {
        ref var header = ref *(ChunkHeader*)chunk;
        var entries = JournalFormat.Entries(chunk);
        var pages = chunk + JournalFormat.IndexBytes;
        for (var i = 0; i < header.Entries;)
        {
            var run = 1;
            while (i + run < header.Entries && entries[i + run] == entries[i] + ((ulong)run << 1)) run++;
            var offset = (long)(entries[i] >> 1) * RegionLayout.PageSize;
            var bytes = run * RegionLayout.PageSize;
            var zeros = (entries[i] & 1) != 0;
            var error = zeros ? _file.Punch(offset, bytes) : _file.Write(offset, pages, bytes);
            if (error != 0) return error;
            if (!zeros) pages += bytes;
            i += run;
        }
        return 0;
    }
}
