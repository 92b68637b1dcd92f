using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pam;

/// <summary>
/// The page store behind the index (kztmem's <c>tmem_pamops</c>): it turns pages into 64-bit descriptors and back. To the index a
/// descriptor is only a word that is not 0. A get is two steps, so that unpacking happens under no lock.
/// </summary>
internal interface IPamOps : ILeafBinder
{
    /// <summary>
    /// Stores a page and returns its descriptor; no lock is held. The page is not part of the index until
    /// <see cref="ILeafBinder.Bind"/> and the commit.
    /// </summary>
    /// <param name="page">A whole page of the pool.</param>
    /// <param name="owner">The pool it belongs to.</param>
    /// <param name="maker">Makes room when there is none.</param>
    /// <param name="descriptor">The word for the leaf.</param>
    TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, IRoomMaker maker, out ulong descriptor);

    /// <summary>As <see cref="Create"/>, for a page in stored form: takes its bytes as they are.</summary>
    TmemStatus Keep(ReadOnlySpan<byte> stored, int format, in PageOwner owner, IRoomMaker maker, out ulong descriptor);

    /// <summary>Notes that a page that was created and is in no leaf yet was evicted before (<see cref="PageUse"/>).</summary>
    void MarkReturned(ulong descriptor);

    /// <summary>Whether this format can be unpacked.</summary>
    bool KnowsFormat(uint format);

    /// <summary>As <see cref="ILeafBinder.Bind"/>, into another pool or bucket. Under the latches of both buckets.</summary>
    void Rebind(ulong descriptor, ulong leaf, int poolPlace, int bucket);

    /// <summary>Whether a descriptor stands for the page of this leaf, as far as can be seen. Under the bucket's latch.</summary>
    bool IsBound(ulong descriptor, ulong leaf);

    /// <summary>Whether a descriptor names the slot at this place.</summary>
    bool IsAt(ulong descriptor, ulong place);

    /// <summary>
    /// Copies a page from its slot to another slot, as the page of this leaf. Returns its descriptor there. Under the bucket's
    /// latch.
    /// </summary>
    ulong Move(ulong descriptor, ulong place, ulong leaf);

    /// <summary>Prefetches a page that is about to be grabbed: its memory may be cold.</summary>
    void Expect(ulong descriptor);

    /// <summary>Copies a page's stored bytes into room for a page, to be unpacked later. Under the bucket's latch.</summary>
    Grabbed Grab(ulong descriptor, ulong leaf, Span<byte> room, bool markUsed);

    /// <summary>Whether a descriptor still stands for exactly the bytes that were grabbed. Under the bucket's latch.</summary>
    bool Holds(ulong descriptor, ulong leaf, in Grabbed grabbed, ReadOnlySpan<byte> stored);

    /// <summary>Unpacks a grabbed page. No lock is held.</summary>
    /// <param name="grabbed">The result of the grab.</param>
    /// <param name="stored">The copy of its bytes; more may follow it.</param>
    /// <param name="page">Room for a page of the pool.</param>
    /// <param name="length">The page's length: all, or as many bytes as the client compressed it to.</param>
    TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page, out int length);

    /// <summary>Frees what the descriptor stands for. Needs no lock; nothing refers to it any more.</summary>
    void Free(ulong descriptor);

    /// <summary>Frees a slot that no descriptor names.</summary>
    void Release(ulong place);

    /// <summary>The cost and form of the descriptor's page, for the counters.</summary>
    PageCost Cost(ulong descriptor);
}

/// <summary>Where a page belongs, as far as its slot records it, and how its pool wants it stored.</summary>
/// <param name="PoolPlace">The pool's place in the pool table.</param>
/// <param name="Bucket">The object's bucket.</param>
/// <param name="Persistent">The pool's kind.</param>
/// <param name="RefuseIncompressible">The pool's policy.</param>
/// <param name="Codec">The pool's codec.</param>
/// <param name="Precompressed">The page is stored as it is, at its length.</param>
internal readonly record struct PageOwner(
    int PoolPlace, int Bucket, bool Persistent, bool RefuseIncompressible, TmemCodec Codec, bool Precompressed);

/// <summary>The cost of one stored page.</summary>
/// <param name="CompressedBytes">Its payload.</param>
/// <param name="SlotBytes">Its slot, header and rounding included; 0 for a same-filled page.</param>
/// <param name="Form">Its form.</param>
internal readonly record struct PageCost(int CompressedBytes, int SlotBytes, PageForm Form)
{
    public bool SameFilled => Form == PageForm.SameFilled;
}

/// <summary>The forms of stored pages that are counted.</summary>
internal enum PageForm
{
    /// <summary>LZ4, or as the client compressed it.</summary>
    Packed,

    /// <summary>In its descriptor alone.</summary>
    SameFilled,

    Raw,
    Zstd,

    /// <summary>Zstandard with a dictionary.</summary>
    Dictionary,
}
