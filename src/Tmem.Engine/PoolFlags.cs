using System.Numerics;

namespace Tmem.Engine;

/// <summary>
/// The flags word of NEW_POOL, as the Xen tmem ABI lays it out.
/// <code>
/// bit 0      PERSIST        what is put stays until flushed (else ephemeral)
/// bit 1      SHARED         a get does not consume the page
/// bit 2      PRECOMPRESSED  pages come compressed already
/// bits 4-7   page size      4096 &lt;&lt; n, n from 0 to 4
/// bits 8-23  reserved       must be 0
/// bits 24-31 version        0
/// </code>
/// </summary>
[Flags]
public enum PoolFlags : uint
{
    /// <summary>An ephemeral, private pool of 4 KiB pages.</summary>
    None = 0,

    /// <summary>What is put stays until it is flushed: frontswap's kind.</summary>
    Persistent = 1,

    /// <summary>Shared kind: a get copies and keeps, and counts as a use.</summary>
    Shared = 2,

    /// <summary>Pages come compressed already: 1 byte to a page each, stored as they are.</summary>
    Precompressed = 4,
}

/// <summary>The page-size field of <see cref="PoolFlags"/>.</summary>
public static class PoolFlagsPageSize
{
    private const int Shift = 4;
    private const uint Field = 0xF0;
    private const int Smallest = 4096;
    private const int LargestInField = Smallest << 15;

    /// <summary>These flags with pages of so many bytes: 4096, 8192, 16384, 32768 or 65536 are served.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size that the field cannot say: not 4096 times a power of two up to
    /// 2^15.</exception>
    public static PoolFlags WithPageSize(this PoolFlags flags, int bytes)
    {
        if (bytes is < Smallest or > LargestInField || !BitOperations.IsPow2(bytes))
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "a page is 4096 times a power of two");
        return (PoolFlags)((uint)flags & ~Field | (uint)BitOperations.Log2((uint)bytes / Smallest) << Shift);
    }

    /// <summary>Bytes of a page: 4096 &lt;&lt; n.</summary>
    public static int PageSize(this PoolFlags flags) => Smallest << (int)(((uint)flags & Field) >> Shift);
}

/// <summary>The id of a pool. Never used again once its pool is destroyed. 0 is no pool.</summary>
/// <param name="Value">Low 10 bits: place in the pool table; above: how often that place has been used.</param>
public readonly record struct PoolId(uint Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"pool {Value & 0x3ff}.{Value >> 10}";
}

/// <summary>The number of a client (the owner of pools), the same after a restart. 0 is no client.</summary>
/// <param name="Value">The number.</param>
public readonly record struct ClientId(uint Value);

/// <summary>What a new pool is to be.</summary>
/// <param name="Flags">Kind and page size.</param>
/// <param name="LimitBytes">Most real memory the pool's pages may take (slots and index), in bytes; 0 is no limit.</param>
/// <param name="RefuseIncompressible">Refuse pages that do not shrink instead of storing them raw.</param>
/// <param name="Codec">What new pages are compressed with.</param>
/// <param name="SharedId">With <see cref="PoolFlags.Shared"/>: the id under which other clients find the pool. 0 is none.</param>
/// <param name="ReserveBytes">
/// Real memory the pool is guaranteed, in bytes, whatever others store; 0 is none. For a persistent pool, and no more than its
/// limit. It can be changed later: <see cref="TmemClient.Reserve"/>.
/// </param>
public readonly record struct PoolOptions(
    PoolFlags Flags, long LimitBytes = 0, bool RefuseIncompressible = false, TmemCodec Codec = TmemCodec.Page,
        SharedId SharedId = default,
    long ReserveBytes = 0);
