using System.IO.Hashing;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Transfer;

/// <summary>
/// Writes pools to a stream while they are in use. It visits the handles in order, and copies a page's stored bytes under the
/// latch that a get takes; so each page saved is one its handle held at some moment of the save, and an untouched page is saved
/// as it is. Nothing is consumed, and no use is counted. A page is unpacked before it is written, so that every save can be
/// restored; one that needs a dictionary is compressed without it.
/// </summary>
internal sealed class ClientSaver(RegionOperations operations, Stream stream, CancellationToken cancellation)
{
    private readonly SummedStream _stream = new(stream);
    private readonly List<PoolId> _saved = [];
    private byte[] _record = [];
    private long _pages;

    public TransferResult Run(IReadOnlyList<Pool> pools)
    {
        try
        {
            _stream.Write(new SaveHead { Magic = SaveFormat.Magic, Version = SaveFormat.Version });
            foreach (var pool in pools)
            {
                if (Save(pool) is { } refused) return refused;
                _saved.Add(pool.Id);
            }
            WriteTrailer();
            return Result(TransferStatus.Ok, TmemStatus.Ok,
                $"saved {_pages} pages of {_saved.Count} pools, {_stream.Position} bytes");
        }
        catch (IOException error)
        {
            return Result(TransferStatus.StreamFailed, TmemStatus.Ok,
                $"writing the stream failed after byte {_stream.Position}: {error.Message}");
        }
    }

    /// <summary>Null if the whole pool was written.</summary>
    private TransferResult? Save(Pool pool)
    {
        var options = pool.Options;
        var saved = new SavedPool
        {
            Kind = RecordKind.Pool,
            Flags = (uint)options.Flags,
            Policy = PoolEntry.PolicyOf(options),
            LimitBytes = options.LimitBytes,
            SharedLow = options.SharedId.Low,
            SharedHigh = options.SharedId.High,
        };
        saved.Checksum = XxHash3.HashToUInt64(MemoryMarshal.AsBytes(new ReadOnlySpan<SavedPool>(in saved))[..SaveFormat.Summed]);
        _stream.Write(saved);
        var unpacked = new byte[pool.PageSize];
        if (_record.Length < SaveFormat.RecordBytes + pool.PageSize) _record = new byte[SaveFormat.RecordBytes + pool.PageSize];
        var scratch = Scratch.For(pool.PageSize);
        for (var bucket = 0; bucket < Pool.BucketCount; bucket++)
        {
            var from = default(ObjectId);
            while (operations.Search.NextObject(pool, bucket, from, out var id))
            {
                for (ulong next = 0; next <= uint.MaxValue
                    && operations.Transfer.NextStored(pool, id, (uint)next, scratch.Stored, out var index, out var grabbed);
                    next = (ulong)index + 1)
                {
                    if (operations.Transfer.Unpack(grabbed, scratch.Stored, unpacked) != TmemStatus.Ok)
                        return Result(TransferStatus.Refused, TmemStatus.Corrupt,
                            $"{new PageHandle(pool.Id, id, index)} is corrupt; flush it and save again");
                    if (grabbed.Format != PageFormat.Dictionary) WritePage(id, index, grabbed, scratch.Stored);
                    else
                    {
                        var room = scratch.Compressed;
                        WritePage(id, index, CompressedStore.PackAlone(unpacked, pool.Codec, room), room);
                    }
                    cancellation.ThrowIfCancellationRequested();
                }
                from = id.Next();
            }
        }
        return pool.IsEnding
            ? Result(TransferStatus.Refused, TmemStatus.NoSuchPool, $"{pool.Id} was destroyed while it was being saved") : null;
    }

    private void WritePage(in ObjectId id, uint index, in Grabbed grabbed, ReadOnlySpan<byte> copy)
    {
        var page = new SavedPage
        {
            Kind = RecordKind.Page, Index = index, Object0 = id.Word0, Object1 = id.Word1, Object2 = id.Word2,
        };
        var stored = _record.AsSpan(SaveFormat.RecordBytes);
        if (grabbed.Kind == GrabKind.Fill)
        {
            page.Length = sizeof(ulong);
            page.Format = SaveFormat.FillFormat;
            MemoryMarshal.Write(stored, grabbed.Word);
        }
        else
        {
            page.Length = grabbed.Length;
            page.Format = (uint)grabbed.Format;
            page.Checksum = grabbed.Checksum;
            copy[..grabbed.Length].CopyTo(stored);
        }
        MemoryMarshal.Write(_record, page);
        // One write: a stream that itself stores pages may use this thread's scratch.
        _stream.Write(_record.AsSpan(0, SaveFormat.RecordBytes + page.Length));
        _pages++;
    }

    private void WriteTrailer()
    {
        var trailer = new SaveTrailer
        {
            Kind = RecordKind.Trailer, Pools = (uint)_saved.Count, Pages = _pages, Bytes = _stream.Position,
        };
        _stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<SaveTrailer>(in trailer))[..SaveFormat.Summed]);
        _stream.Write(_stream.Sum);
        _stream.Flush();
    }

    private TransferResult Result(TransferStatus status, TmemStatus cause, string sentence) =>
        new(status, cause, status == TransferStatus.Ok ? _saved : [], _pages, _stream.Position, sentence);
}
