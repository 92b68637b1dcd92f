namespace Tmem.Engine.Pam;

/// <summary>
/// The page store behind the index (kztmem's <c>tmem_pamops</c>): it turns pages into 64-bit descriptors and back. The index knows a
/// descriptor only as a word that is not 0. A get is two steps, so that unpacking happens under no lock.
/// </summary>
internal interface IPamOps
{
    /// <summary>Stores a page and names it; no lock is held. The page is not part of the index until <see cref="Bind"/> and the commit.</summary>
    TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, out ulong descriptor);

    /// <summary>As <see cref="Create"/>, for a page that is stored already: takes its bytes as they are.</summary>
    TmemStatus Place(ReadOnlySpan<byte> stored, int codec, in PageOwner owner, out ulong descriptor);

    /// <summary>Whether pages stored with this codec can be unpacked.</summary>
    bool KnowsCodec(uint codec);

    /// <summary>Notes which leaf a descriptor is about to stand in, or has moved to. Under the bucket's latch.</summary>
    void Bind(ulong descriptor, ulong leaf);

    /// <summary>Takes a copy of what is stored, to be unpacked later. Under the bucket's latch.</summary>
    void Grab(ulong descriptor, ulong leaf, Scratch scratch, bool markUsed);

    /// <summary>Unpacks what was grabbed into a page. No lock is held.</summary>
    TmemStatus Unpack(Scratch scratch, Span<byte> page);

    /// <summary>Frees what the descriptor stands for. No lock is needed; nobody can reach it any more.</summary>
    void Free(ulong descriptor);

    /// <summary>What the descriptor's page costs and is, for the counters.</summary>
    PageCost Cost(ulong descriptor);
}

/// <summary>Where a page belongs, as far as its slot needs to know.</summary>
/// <param name="PoolPlace">The pool's place in the pool table.</param>
/// <param name="Bucket">The object's bucket.</param>
/// <param name="Persistent">The pool's kind.</param>
/// <param name="RefuseIncompressible">The pool's policy.</param>
internal readonly record struct PageOwner(int PoolPlace, int Bucket, bool Persistent, bool RefuseIncompressible);

/// <summary>What one stored page takes.</summary>
/// <param name="CompressedBytes">Its payload.</param>
/// <param name="SlotBytes">Its slot, header and rounding included; 0 for a same-filled page.</param>
/// <param name="SameFilled">It lives in its descriptor.</param>
/// <param name="Raw">It is stored raw.</param>
internal readonly record struct PageCost(int CompressedBytes, int SlotBytes, bool SameFilled, bool Raw);
