using Tmem.Engine.Clients;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>What saving and restoring ask of pages: a walk over handles, and stored pages as they are.</summary>
internal sealed unsafe partial class PageOperations<THost, TPam>
{
    /// <summary>The first object of a bucket at or above an id.</summary>
    public bool NextObject(Pool pool, int bucketNumber, in ObjectId from, out ObjectId found)
    {
        ref var bucket = ref pool.BucketAt(bucketNumber);
        SpinLatch.Enter(ref bucket.Latch);
        var obj = Treap.AtOrAbove(_order, bucket.Root, from);
        found = obj == 0 ? default : Object(obj).Id;
        SpinLatch.Exit(ref bucket.Latch);
        return obj != 0;
    }

    /// <summary>Copies the first page at or above an index into a scratch, as it is stored, leaving no trace.</summary>
    public bool NextStored(Pool pool, in ObjectId id, uint from, Scratch scratch, out uint found)
    {
        found = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch);
        var obj = Treap.Find(_order, bucket.Root, id);
        var any = obj != 0 && _tree.Next(obj, from, out found);
        if (any)
        {
            var leaf = _tree.FindLeaf(obj, found);
            _pam.Grab(*(ulong*)_host.At(leaf), leaf, scratch, markUsed: false);
        }
        SpinLatch.Exit(ref bucket.Latch);
        return any;
    }

    /// <summary>Unpacks what <see cref="NextStored"/> copied.</summary>
    public TmemStatus Unpack(Scratch scratch, Span<byte> page) => _pam.Unpack(scratch, page, out _);

    public bool KnowsFormat(uint format) => _pam.KnowsFormat(format);

    /// <summary>Stores a page that came unpacked.</summary>
    public TmemStatus Restore(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page) =>
        Store(pool, writer, id, index, page);

    /// <summary>Stores a page as it came, after unpacking it has proved it; Corrupt if it does not.</summary>
    public TmemStatus Restore(
        Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> stored, int format, uint checksum,
            Span<byte> unpacked)
    {
        var scratch = Scratch.For(pool.PageSize);
        stored.CopyTo(scratch.Stored);
        scratch.Kind = GrabKind.Stored;
        scratch.Length = stored.Length;
        scratch.Format = format;
        scratch.Checksum = checksum;
        if (_pam.Unpack(scratch, unpacked, out _) != TmemStatus.Ok) return TmemStatus.Corrupt;
        var status = _pam.Keep(stored, format, OwnerOf(pool, id), out var descriptor);
        return status == TmemStatus.Ok ? Keep(pool, writer, id, index, descriptor) : status;
    }
}
