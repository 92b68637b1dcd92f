namespace Tmem.Engine;

/// <summary>The options of a new pool.</summary>
/// <param name="Flags">Kind and page size, as the ABI has them.</param>
/// <param name="LimitBytes">The most real memory the pool's pages may take (slots and index), in bytes; 0 is no limit. It can be
/// changed later: <see cref="TmemClient.Limit"/>.</param>
/// <param name="RefuseIncompressible">Refuse pages that do not shrink instead of storing them raw.</param>
/// <param name="Codec">The codec for new pages. It can be changed later: <see cref="TmemClient.Recode"/>.</param>
/// <param name="SharedId">With <see cref="PoolFlags.Shared"/>: the id under which other clients find the pool. 0 is none.</param>
/// <param name="ReserveBytes">
/// Real memory the pool is guaranteed, in bytes, whatever others store; 0 is none. For a persistent pool, and no more than its
/// limit. It can be changed later: <see cref="TmemClient.Reserve"/>.
/// </param>
public readonly record struct PoolOptions(
    PoolFlags Flags, long LimitBytes = 0, bool RefuseIncompressible = false, TmemCodec Codec = TmemCodec.Page,
    SharedId SharedId = default, long ReserveBytes = 0)
{
    /// <summary>A pool of this kind, of 4 KiB pages, without a limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The kind is unknown.</exception>
    public PoolOptions(PoolKind kind) : this(FlagsOf(kind)) { }

    /// <summary>How it treats its pages. A persistent pool with a shared id is <see cref="PoolKind.Persistent"/> too.</summary>
    public PoolKind Kind => (Flags & PoolFlags.Persistent) != 0 ? PoolKind.Persistent
        : (Flags & PoolFlags.Shared) != 0 ? PoolKind.Cache : PoolKind.Exclusive;

    /// <summary>Bytes of a page: 4096, 8192, 16384, 32768 or 65536. Part of <see cref="Flags"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">As <see cref="PoolFlagsPageSize.WithPageSize"/>.</exception>
    public int PageSize { get => Flags.PageSize(); init => Flags = Flags.WithPageSize(value); }

    /// <summary>Pages arrive compressed, 1 byte to a page long. Part of <see cref="Flags"/>.</summary>
    public bool Precompressed
    {
        get => (Flags & PoolFlags.Precompressed) != 0;
        init => Flags = value ? Flags | PoolFlags.Precompressed : Flags & ~PoolFlags.Precompressed;
    }

    private static PoolFlags FlagsOf(PoolKind kind) => kind switch
    {
        PoolKind.Persistent => PoolFlags.Persistent,
        PoolKind.Cache => PoolFlags.Shared,
        PoolKind.Exclusive => PoolFlags.None,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "there is no such kind of pool"),
    };
}
