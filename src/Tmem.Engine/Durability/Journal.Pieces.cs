using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>
/// Applies a complete journal on a disk without room for it: pages that end as zeros give back their blocks first; then the pages
/// are written from the first chunk on as far as the room goes, made durable, and the head records it; their part of the journal
/// is then released, which makes room for those that follow. A page of room is enough. After a kill or power cut anywhere, the
/// rest is a complete journal again.
/// </summary>
internal sealed unsafe partial class Journal
{
    private int ApplyInPieces()
    {
        using var zeros = new PageSet(_imageBytes);
        var chunks = new List<(long At, ulong Hash)>();
        var error = ForEachChunk(_head, (chunk, hash, from) =>
        {
            chunks.Add((_at, hash));
            NoteZeros((byte*)chunk, from, zeros);
            return 0;
        }, out var all);
        if (error == 0 && !all) error = Tmds.Linux.LibC.EIO;
        if (error != 0) return error;
        if (_file.Length > _at) _ = _file.SetLength(_at);
        for (long from = 0; zeros.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
        {
            error = _file.Punch(first * RegionLayout.PageSize, count * RegionLayout.PageSize);
            if (error != 0) return error;
            _space.Punched(first, count);
        }
        var done = _head.Magic == JournalFormat.PiecesMagic ? (int)_head.Done : 0;
        for (var i = 0; i < chunks.Count && error == 0; i++, done = 0) error = ApplyInPieces(chunks, i, done, zeros);
        if (error != 0) return error;
        // No journal is left, and the head must not claim one.
        _head = default;
        return WriteHead();
    }

    /// <summary>Applies one chunk, in as many pieces as it takes.</summary>
    private int ApplyInPieces(List<(long At, ulong Hash)> chunks, int number, int done, PageSet zeros)
    {
        while (true)
        {
            var (at, hash) = chunks[number];
            var error = ReadChunk(at, Sequence, out var bytes);
            if (error == 0 && bytes == 0) error = Tmds.Linux.LibC.EIO;
            if (error != 0) return error;
            ClearDone(done);
            if (hash != JournalFormat.HashOf(_memory)) return Tmds.Linux.LibC.EIO;
            error = ApplyChunk(_memory, done, zeros, out var reached);
            if (error != 0 && (!IsFull(error) || reached == done)) return error;
            var isWhole = error == 0;
            var from = done;
            if ((error = _file.Sync()) != 0) return error;
            if (!isWhole)
            {
                ClearDone(reached);
                chunks[number] = (at, JournalFormat.HashOf(_memory));
            }
            if ((error = WriteHeadOf(chunks, isWhole ? number + 1 : number, isWhole ? 0 : reached)) != 0) return error;
            if (isWhole) return _file.Punch(at, bytes);
            var pages = at + JournalFormat.IndexBytes;
            error = _file.Punch(pages + StoredBefore(from), StoredBefore(reached) - StoredBefore(from));
            if (error != 0) return error;
            done = reached;
        }
    }

    /// <summary>Writes a head for the rest of the journal: from a chunk on, with this many of its entries done.</summary>
    private int WriteHeadOf(List<(long At, ulong Hash)> chunks, int number, int done)
    {
        if (number == chunks.Count) return 0;
        var chain = Sequence;
        for (var i = number; i < chunks.Count; i++) chain = JournalFormat.Chain(chain, chunks[i].Hash);
        _head = new JournalHead
        {
            Magic = JournalFormat.PiecesMagic, Sequence = Sequence, ImageBytes = _imageBytes, Chunks = chunks.Count
                - number, Chain = chain,
            First = chunks[number].At, Done = done, FirstHash = chunks[number].Hash,
        };
        _head.Hash = JournalFormat.HashOf(_head);
        return WriteHead();
    }

    private int WriteHead()
    {
        *Head = _head;
        var error = _file.Write(Start, _headPage, JournalFormat.HeadBytes);
        return error != 0 ? error : _file.Sync();
    }

    private static void NoteZeros(byte* chunk, int from, PageSet zeros)
    {
        for (var i = from; i < ((ChunkHeader*)chunk)->Entries; i++)
        {
            var entry = JournalFormat.Entries(chunk)[i];
            if ((entry & 1) != 0) zeros.Add((long)(entry >> 1));
            else zeros.Remove((long)(entry >> 1));
        }
    }

    /// <summary>Bytes of the pages that the first entries of the chunk in memory have in it.</summary>
    private long StoredBefore(int entries)
    {
        long stored = 0;
        for (var i = 0; i < entries; i++) stored += (JournalFormat.Entries(_memory)[i] & 1) == 0 ? RegionLayout.PageSize : 0;
        return stored;
    }

    private void ClearDone(int entries) => new Span<byte>(_memory + JournalFormat.IndexBytes, (int)StoredBefore(entries)).Clear();
}
