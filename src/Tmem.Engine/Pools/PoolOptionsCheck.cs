using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Pam;

namespace Tmem.Engine.Pools;

/// <summary>Whether options are valid: those requested, read from a stream, or found in a region.</summary>
internal static class PoolOptionsCheck
{
    private const uint ReservedFlags = 0x00FFFF00;
    private const uint KnownFlags = (uint)(PoolFlags.Persistent | PoolFlags.Shared | PoolFlags.Precompressed);
    private const uint PageSizeField = 0xF0;

    public static TmemStatus Of(in PoolOptions options)
    {
        var flags = (uint)options.Flags;
        if ((flags & ReservedFlags) != 0 || (flags & ~(KnownFlags | PageSizeField)) != 0 || options.LimitBytes < 0)
            return TmemStatus.InvalidFlags;
        if (!IsReserve(options, options.ReserveBytes)) return TmemStatus.InvalidFlags;
        if (!PageSizes.IsServed(options.Flags.PageSize())) return TmemStatus.UnsupportedPageSize;
        if (!PageCodecs.IsKnown(options.Codec)) return TmemStatus.UnsupportedCodec;
        if ((options.Flags & PoolFlags.Precompressed) != 0 && (options.RefuseIncompressible || options.Codec != TmemCodec.Page))
            return TmemStatus.InvalidFlags;
        var isOfSharedKind = (options.Flags & PoolFlags.Shared) != 0;
        return options.SharedId.IsReserved || (!options.SharedId.IsNone && !isOfSharedKind) ? TmemStatus.InvalidSharedId
            : TmemStatus.Ok;
    }

    /// <summary>
    /// Whether a pool of these options can have this reserve. An ephemeral pool has none: its pages may go at any time.
    /// </summary>
    public static bool IsReserve(in PoolOptions options, long bytes) =>
        bytes == 0 || (bytes > 0 && bytes <= RegionLayout.MaximumBytes && (options.Flags & PoolFlags.Persistent) != 0
            && (options.LimitBytes == 0 || bytes <= options.LimitBytes));
}
