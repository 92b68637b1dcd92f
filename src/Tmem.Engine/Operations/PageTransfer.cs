using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>The page operations of save and restore: pages in their stored form.</summary>
internal sealed unsafe class PageTransfer<THost, TPam>(
    PageIndex<THost, TPam> index, PageOperations<THost, TPam> pages, IReclaimer reclaimer)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;
    private readonly ObjectOrder<THost> _order = index.Order;
    private readonly RadixTree<THost, TPam> _tree = index.Tree;

    /// <summary>
    /// Copies the first page at or above an index, in its stored form, without side effects. False if there is none.
    /// </summary>
    public bool NextStored(Pool pool, in ObjectId id, uint from, Span<byte> room, out uint found, out Grabbed grabbed)
    {
        found = 0;
        grabbed = default;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Treap.Find(_order, bucket.Root, id);
        var any = obj != 0 && _tree.Next(obj, from, out found);
        if (any)
        {
            var leaf = _tree.FindLeaf(obj, found);
            grabbed = _pam.Grab(*(ulong*)_host.At(leaf), leaf, room, markUsed: false);
        }
        SpinLatch.Exit(ref bucket.Latch);
        return any;
    }

    /// <summary>Unpacks what <see cref="NextStored"/> copied.</summary>
    public TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page) =>
        _pam.Unpack(grabbed, stored, page, out _);

    public bool KnowsFormat(uint format) => _pam.KnowsFormat(format);

    /// <summary>Stores an unpacked page.</summary>
    public TmemStatus Restore(Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> page) =>
        pages.Store(pool, writer, id, index, page);

    /// <summary>Stores a page in its stored form after a trial unpacking; Corrupt if that fails.</summary>
    public TmemStatus Restore(
        Pool pool, ClientState writer, in ObjectId id, uint index, ReadOnlySpan<byte> stored, int format, uint checksum,
            Span<byte> unpacked)
    {
        var grabbed = new Grabbed(GrabKind.Stored, stored.Length, format, checksum);
        if (_pam.Unpack(grabbed, stored, unpacked, out _) != TmemStatus.Ok) return TmemStatus.Corrupt;
        var status = _pam.Keep(stored, format, PageOperations<THost, TPam>.OwnerOf(pool, id), reclaimer, out var descriptor);
        return status == TmemStatus.Ok ? pages.Keep(pool, writer, id, index, descriptor) : status;
    }
}
