using System.Numerics;

namespace Tmem.Engine;

/// <summary>
/// The flags word of NEW_POOL, as the Xen tmem ABI lays it out.
/// <code>
/// bit 0      PERSIST        what is put stays until flushed (else ephemeral)
/// bit 1      SHARED         a get does not consume the page
/// bit 2      PRECOMPRESSED  pages arrive compressed
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

    /// <summary>Pages arrive compressed: 1 byte to a page each, stored as they are.</summary>
    Precompressed = 4,
}

/// <summary>The page-size field of <see cref="PoolFlags"/>.</summary>
public static class PoolFlagsPageSize
{
    private const int Shift = 4;
    private const uint Field = 0xF0;
    private const int Smallest = 4096;
    private const int LargestInField = Smallest << 15;

    /// <summary>These flags with this page size: 4096, 8192, 16384, 32768 or 65536 are supported.</summary>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A size the field cannot hold: not 4096 times a power of two up to 2^15.
    /// </exception>
    public static PoolFlags WithPageSize(this PoolFlags flags, int bytes)
    {
        if (bytes is < Smallest or > LargestInField || !BitOperations.IsPow2(bytes))
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "a page is 4096 times a power of two");
        return (PoolFlags)((uint)flags & ~Field | (uint)BitOperations.Log2((uint)bytes / Smallest) << Shift);
    }

    /// <summary>Bytes of a page: 4096 &lt;&lt; n.</summary>
    public static int PageSize(this PoolFlags flags) => Smallest << (int)(((uint)flags & Field) >> Shift);
}
