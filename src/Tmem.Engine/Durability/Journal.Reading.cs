using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>Finds a journal on the disk and reads it, passing on only what is as it was written.</summary>
internal sealed unsafe partial class Journal
{
    /// <summary>Looks for a complete journal.</summary>
    /// <param name="complete">False for an incomplete one, which is no error: it never counted.</param>
    /// <param name="applied">The <see cref="Mark"/> of one known to be applied, to be skipped; 0 for none.</param>
    /// <returns>An errno.</returns>
    public int Find(out bool complete, ulong applied = 0)
    {
        complete = false;
        var error = _file.Read(Start, _headPage, JournalFormat.HeadBytes);
        if (error != 0) return error;
        var head = *Head;
        if (head.Magic is not (JournalFormat.HeadMagic or JournalFormat.PiecesMagic)) return 0;
        if (head.ImageBytes != _imageBytes || head.Hash != JournalFormat.HashOf(head)) return 0;
        Sequence = head.Sequence;
        if (head.Hash == applied) return 0;
        var chain = head.Sequence;
        error = ForEachChunk(head, (chunk, hash, _) =>
        {
            chain = JournalFormat.Chain(chain, hash);
            return 0;
        }, out var all);
        if (error != 0) return error;
        complete = all && chain == head.Chain;
        if (complete) _head = head;
        return 0;
    }

    /// <summary>
    /// Visits the pages of a complete journal, in order; the last for a page is in force. The span is empty for a page of zeros.
    /// Returns an errno.
    /// </summary>
    public int ForEachPage(PageVisitor visit)
    {
        var error = ForEachChunk(_head, (address, _, from) =>
        {
            var chunk = (byte*)address;
            var pages = chunk + JournalFormat.IndexBytes;
            for (var i = 0; i < ((ChunkHeader*)chunk)->Entries; i++)
            {
                var entry = JournalFormat.Entries(chunk)[i];
                var stored = (entry & 1) == 0 ? RegionLayout.PageSize : 0;
                if (i >= from) visit((long)(entry >> 1), new ReadOnlySpan<byte>(pages, stored));
                pages += stored;
            }
            return 0;
        }, out var all);
        return error == 0 && !all ? Tmds.Linux.LibC.EIO : error;
    }

    /// <summary>
    /// Visits each chunk of a journal, in memory, with its hash and the number of its entries that are done. Stops at the first
    /// that is not as it was written: <paramref name="all"/> is then false.
    /// </summary>
    private int ForEachChunk(in JournalHead head, Func<nint, ulong, int, int> visit, out bool all)
    {
        all = false;
        _full = 0;
        var isInPieces = head.Magic == JournalFormat.PiecesMagic;
        _at = isInPieces ? head.First : Start + JournalFormat.HeadBytes;
        for (long i = 0; i < head.Chunks; i++)
        {
            var error = ReadChunk(_at, head.Sequence, out var bytes);
            if (error != 0) return error;
            if (bytes == 0) return 0;
            ref var header = ref *(ChunkHeader*)_memory;
            var done = isInPieces && i == 0 ? (int)head.Done : 0;
            if (done > 0) ClearDone(done);
            var hash = isInPieces && i == 0 ? head.FirstHash : header.Hash;
            if (hash != JournalFormat.HashOf(_memory)) return 0;
            error = visit((nint)_memory, hash, done);
            if (error != 0) return error;
            _at += bytes;
        }
        all = true;
        return 0;
    }

    /// <summary>
    /// Reads a chunk to the start of the memory. Returns an errno; the length is 0 if there is no chunk of that journal.
    /// </summary>
    private int ReadChunk(long at, ulong sequence, out int bytes)
    {
        bytes = 0;
        var error = _file.Read(at, _memory, JournalFormat.IndexBytes);
        if (error != 0) return error;
        ref var header = ref *(ChunkHeader*)_memory;
        if (header.Magic != JournalFormat.ChunkMagic || header.Sequence != sequence) return 0;
        if (header.Entries is < 1 or > JournalFormat.MostEntries || header.Stored < 0 || header.Stored > header.Entries
            || !IsSound()) return 0;
        var length = JournalFormat.ChunkBytes(header);
        if (header.Stored > 0)
            error = _file.Read(at + JournalFormat.IndexBytes, _memory + JournalFormat.IndexBytes,
                length - JournalFormat.IndexBytes);
        if (error == 0) bytes = length;
        return error;
    }

    /// <summary>Whether the chunk in memory names only pages of the image.</summary>
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
}

/// <summary>Receives a page of a journal; the span is empty for a page of zeros.</summary>
internal delegate void PageVisitor(long page, ReadOnlySpan<byte> content);
