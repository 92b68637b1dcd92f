using Tmem.Engine.Index;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pam;

/// <summary>
/// The page store behind the index (kztmem's <c>tmem_pamops</c>): it turns pages into 64-bit descriptors and back. The index
/// knows a descriptor only as a word that is not 0. A get is two steps, so that unpacking happens under no lock.
/// </summary>
internal interface IPamOps : ILeafBinder
{
    /// <summary>
    /// Stores a page and names it; no lock is held. The page is not part of the index until
    /// <see cref="ILeafBinder.Bind"/> and the commit.
    /// </summary>
    /// <param name="page">A whole page of the pool.</param>
    /// <param name="owner">Whose it is to be.</param>
    /// <param name="maker">Makes room when there is none.</param>
    /// <param name="descriptor">What to put in the leaf.</param>
    TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, IRoomMaker maker, out ulong descriptor);

    /// <summary>As <see cref="Create"/>, for a page that is stored already: takes its bytes as they are.</summary>
    TmemStatus Keep(ReadOnlySpan<byte> stored, int format, in PageOwner owner, IRoomMaker maker, out ulong descriptor);

    /// <summary>Whether what is stored in this format can be unpacked.</summary>
    bool KnowsFormat(uint format);

    /// <summary>As <see cref="ILeafBinder.Bind"/>, into another pool or bucket. Under the latches of both buckets.</summary>
    void Rebind(ulong descriptor, ulong leaf, int poolPlace, int bucket);

    /// <summary>
    /// Whether what a descriptor stands for is the page of this leaf, as far as that shows. Under the bucket's latch.
    /// </summary>
    bool IsBound(ulong descriptor, ulong leaf);

    /// <summary>Whether what stands in a leaf names the slot at this place.</summary>
    bool IsAt(ulong descriptor, ulong place);

    /// <summary>
    /// Copies a page that lies in a slot to another slot, as the page of this leaf. Returns its descriptor there. Under the
    /// bucket's latch.
    /// </summary>
    ulong Move(ulong descriptor, ulong place, ulong leaf);

    /// <summary>Says that a page will be grabbed in a moment: its memory may be far away.</summary>
    void Expect(ulong descriptor);

    /// <summary>
    /// Takes a copy of what is stored, to be unpacked later, into room for a page. Under the bucket's latch.
    /// </summary>
    Grabbed Grab(ulong descriptor, ulong leaf, Span<byte> room, bool markUsed);

    /// <summary>Whether a descriptor still stands for the very bytes that were grabbed. Under the bucket's latch.</summary>
    bool Holds(ulong descriptor, ulong leaf, in Grabbed grabbed, ReadOnlySpan<byte> stored);

    /// <summary>Unpacks what was grabbed. No lock is held.</summary>
    /// <param name="grabbed">What was grabbed.</param>
    /// <param name="stored">The copy of its bytes, and whatever follows it.</param>
    /// <param name="page">Room for a page of the pool.</param>
    /// <param name="length">Bytes of it that are the page: all, or as many as the client compressed it to.</param>
    TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page, out int length);

    /// <summary>Frees what the descriptor stands for. No lock is needed; nobody can reach it any more.</summary>
    void Free(ulong descriptor);

    /// <summary>Frees a slot that no descriptor names.</summary>
    void Release(ulong place);

    /// <summary>What the descriptor's page costs and is, for the counters.</summary>
    PageCost Cost(ulong descriptor);
}

/// <summary>Where a page belongs, as far as its slot needs to know, and how its pool wants it stored.</summary>
/// <param name="PoolPlace">The pool's place in the pool table.</param>
/// <param name="Bucket">The object's bucket.</param>
/// <param name="Persistent">The pool's kind.</param>
/// <param name="RefuseIncompressible">The pool's policy.</param>
/// <param name="Codec">The pool's codec.</param>
/// <param name="Precompressed">The page is stored as it is, at its length.</param>
internal readonly record struct PageOwner(
    int PoolPlace, int Bucket, bool Persistent, bool RefuseIncompressible, TmemCodec Codec, bool Precompressed);

/// <summary>What one stored page takes.</summary>
/// <param name="CompressedBytes">Its payload.</param>
/// <param name="SlotBytes">Its slot, header and rounding included; 0 for a same-filled page.</param>
/// <param name="SameFilled">It lives in its descriptor.</param>
/// <param name="Raw">It is stored raw.</param>
internal readonly record struct PageCost(int CompressedBytes, int SlotBytes, bool SameFilled, bool Raw);
