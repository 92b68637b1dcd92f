using System.IO.Hashing;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Transfer;

/// <summary>
/// Restores the pools of a stream. They fill while no client can name them, and come into being together, with one store, once
/// the trailer has shown that the stream is whole; until then any failure, including the process's death, leaves nothing. Each
/// page is unpacked once, to verify it, and then stored as it came.
/// </summary>
internal sealed class ClientRestorer(
    PoolTable pools, RegionOperations operations, ClientState client, Stream stream, CancellationToken cancellation)
{
    private readonly SummedStream _stream = new(stream);
    private readonly List<Pool> _pools = [];
    private readonly byte[] _record = new byte[SaveFormat.RecordBytes];
    private byte[] _stored = [];
    private byte[] _page = [];
    private long _pages;

    public TransferResult Run()
    {
        if (!pools.TryBeginRestore(out var ticket))
            return Refused(TmemStatus.TableFull, "64 restores are under way already; try again when one has ended");
        var committed = false;
        try
        {
            var failure = ReadHead() ?? ReadRecords(ticket);
            if (failure is not null) return failure;
            pools.CommitRestore(ticket, _pools);
            committed = true;
            return Result(TransferStatus.Ok, TmemStatus.Ok,
                $"restored {_pages} pages in {_pools.Count} pools, {_stream.Position} bytes");
        }
        catch (IOException error)
        {
            return Result(TransferStatus.StreamFailed, TmemStatus.Ok,
                $"reading the stream failed after byte {_stream.Position}: {error.Message}");
        }
        finally
        {
            if (!committed) Abandon(ticket);
        }
    }

    private void Abandon(int ticket)
    {
        foreach (var pool in _pools)
        {
            pools.EndRestoring(pool);
            operations.Removal.Drain(pool);
            pools.Forget(pool, countItsPast: false);
        }
        pools.CloseRestore(ticket);
    }

    private TransferResult? ReadHead()
    {
        var head = default(SaveHead);
        var bytes = MemoryMarshal.AsBytes(new Span<SaveHead>(ref head));
        if (!_stream.TryRead(bytes)) return Truncated("the head");
        _stream.Add(bytes);
        if (head.Magic != SaveFormat.Magic)
            return Result(TransferStatus.NotASave, TmemStatus.Ok, "the stream does not begin as a saved pool or client does");
        if (head.Version != SaveFormat.Version)
            return Result(TransferStatus.UnknownVersion, TmemStatus.Ok,
                $"the stream is of version {head.Version}, and this program restores version {SaveFormat.Version}");
        return head.Reserved == 0 ? null : Unknown("the head", $"holds {head.Reserved:x} where nothing is defined");
    }

    /// <summary>Null if the trailer was read and agrees.</summary>
    private TransferResult? ReadRecords(int ticket)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!_stream.TryRead(_record)) return Truncated("a record");
            var kind = MemoryMarshal.Read<RecordKind>(_record);
            if (kind == RecordKind.Trailer) return ReadTrailer();
            _stream.Add(_record);
            var failure = kind switch
            {
                RecordKind.Pool => ReadPool(MemoryMarshal.Read<SavedPool>(_record), ticket),
                RecordKind.Page => ReadPage(MemoryMarshal.Read<SavedPage>(_record)),
                _ => Unknown("the record", $"is of kind {(uint)kind}"),
            };
            if (failure is not null) return failure;
        }
    }

    private TransferResult? ReadPool(in SavedPool saved, int ticket)
    {
        if (saved.Checksum != XxHash3.HashToUInt64(_record.AsSpan(0, SaveFormat.Summed)))
            return Damaged($"the pool at byte {Start} fails its checksum");
        if (saved.Reserved0 != 0 || !PoolEntry.IsKnownPolicy(saved.Policy))
            return Unknown("the pool", $"has policy {saved.Policy:x}, or something where nothing is defined");
        var options = PoolEntry.Options(saved.Flags, saved.Policy, saved.LimitBytes,
            new SharedId(saved.SharedLow, saved.SharedHigh));
        if (PoolOptionsCheck.Of(options) is var check and not TmemStatus.Ok)
            return Unknown("the pool",
                $"was made with flags {saved.Flags:x}, limit {saved.LimitBytes}, shared id {options.SharedId}: {check}");
        var status = pools.MakeRestoring(client, options, ticket, out var pool);
        if (status != TmemStatus.Ok) return Refused(status, $"the pool at byte {Start} cannot be made");
        _pools.Add(pool!);
        if (_page.Length < pool!.PageSize)
        {
            _page = new byte[pool.PageSize];
            _stored = new byte[pool.PageSize];
        }
        return null;
    }

    private TransferResult? ReadPage(in SavedPage saved)
    {
        var start = Start;
        if (_pools.Count == 0) return Damaged($"the page at byte {start} stands before any pool");
        var pool = _pools[^1];
        var id = new ObjectId(saved.Object0, saved.Object1, saved.Object2);
        var isFill = saved.Format == SaveFormat.FillFormat;
        if (!isFill && !operations.Transfer.KnowsFormat(saved.Format))
            return Unknown("the page", $"was stored in format {saved.Format}");
        if (pool.IsPrecompressed != (saved.Format == PageFormat.Precompressed))
            return Damaged($"the page at byte {start} is of format {saved.Format}, and its pool's are not");
        if (saved.Reserved != 0) return Unknown("the page", "holds something where nothing is defined");
        if (!id.IsValid
            || (isFill ? saved.Length != sizeof(ulong) || saved.Checksum != 0 : saved.Length < 1 || saved.Length > pool.PageSize))
            return Damaged($"the page at byte {start} has object {id} and {saved.Length} bytes");
        var stored = _stored.AsSpan(0, saved.Length);
        if (!_stream.TryRead(stored)) return Truncated("a page");
        _stream.Add(stored);

        var page = _page.AsSpan(0, pool.PageSize);
        TmemStatus status;
        if (isFill)
        {
            MemoryMarshal.Cast<byte, ulong>(page).Fill(MemoryMarshal.Read<ulong>(stored));
            status = operations.Transfer.Restore(pool, client, id, saved.Index, page);
        }
        else
        {
            status = operations.Transfer.Restore(pool, client, id, saved.Index, stored, (int)saved.Format, saved.Checksum, page);
            if (status == TmemStatus.Corrupt) return Damaged($"the page at byte {start} fails its checksum or does not unpack");
        }
        if (status != TmemStatus.Ok)
            return Refused(status, $"page {saved.Index} of object {id}, at byte {start}, cannot be stored");
        _pages++;
        return null;
    }

    private TransferResult? ReadTrailer()
    {
        var trailer = MemoryMarshal.Read<SaveTrailer>(_record);
        _stream.Add(_record.AsSpan(0, SaveFormat.Summed));
        if (trailer.Checksum != _stream.Sum)
            return Damaged("the bytes of the stream do not add up to the checksum in its trailer");
        if ((trailer.Reserved0 | trailer.Reserved1) != 0)
            return Unknown("the trailer", "holds something where nothing is defined");
        return trailer.Pools == _pools.Count && trailer.Pages == _pages && trailer.Bytes == Start
            ? null
            : Damaged(
                $"the trailer counts {trailer.Pools} pools, {trailer.Pages} pages and {trailer.Bytes} bytes, and the stream has "
                + $"{_pools.Count}, {_pages} and {Start}");
    }

    /// <summary>The offset of the record just read.</summary>
    private long Start => _stream.Position - SaveFormat.RecordBytes;

    private TransferResult Truncated(string what) =>
        Result(TransferStatus.Truncated, TmemStatus.Ok, $"the stream ends at byte {_stream.Position}, within {what}");

    private TransferResult Damaged(string sentence) => Result(TransferStatus.Damaged, TmemStatus.Ok, sentence);

    private TransferResult Unknown(string what, string sentence) =>
        Result(TransferStatus.UnknownContent, TmemStatus.Ok,
            $"{what} before byte {_stream.Position} {sentence}, which this program does not know");

    private TransferResult Refused(TmemStatus cause, string sentence) =>
        Result(TransferStatus.Refused, cause, $"{sentence}: {cause}");

    private TransferResult Result(TransferStatus status, TmemStatus cause, string sentence) =>
        new(status, cause, status == TransferStatus.Ok ? [.. _pools.Select(pool => pool.Id)] : [], _pages, _stream.Position,
            sentence);
}
