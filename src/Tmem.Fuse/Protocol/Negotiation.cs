using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Protocol;

/// <summary>
/// The agreement of kernel and daemon: a plain value, so that a successor can serve the same connection without a new INIT.
/// </summary>
/// <param name="Minor">Minor version spoken, at most ours.</param>
/// <param name="Flags">The flags that both sides support.</param>
/// <param name="MaxWrite">Largest data of a WRITE, in bytes.</param>
/// <param name="MaxPages">Most pages of 4096 bytes in a request.</param>
/// <param name="MaxReadahead">Bytes the kernel may read ahead.</param>
internal readonly record struct SessionParameters(uint Minor, FuseInitFlags Flags, uint MaxWrite, ushort MaxPages,
    uint MaxReadahead)
{
    public bool Has(FuseInitFlags flag) => (Flags & flag) == flag;
}

/// <summary>The kind of reply to an INIT.</summary>
internal enum NegotiationVerdict
{
    /// <summary>With the whole reply: the session begins.</summary>
    Agreed,
    /// <summary>With our version alone: a newer kernel then sends another INIT in that version.</summary>
    AskAgain,
    /// <summary>With an error: this kernel is too old.</summary>
    Refused,
}

/// <summary>
/// INIT as a pure function: the kernel's offer in, the answer out. Only offered flags are answered. Left out on purpose:
/// WRITEBACK_CACHE (delays writes, and can deadlock when the kernel reclaims memory by swapping to us), AUTO_INVAL_DATA (this
/// file system changes only through its mount, so EXPLICIT_INVAL_DATA holds), DONT_MASK (the kernel applies the umask),
/// POSIX_ACL, the lock flags (the kernel keeps locks), the SPLICE flags (requests are read into a buffer), SETXATTR_EXT (serves
/// ACLs only), NO_OPENDIR_SUPPORT (directories have handles).
/// </summary>
internal static class Negotiation
{
    public const uint MaxWrite = 1 << 20;
    public const ushort MaxPages = 256;
    /// <summary>
    /// Background requests, of at most 1 MiB each, that the kernel sends before it makes their issuers wait. A synchronous
    /// request queues behind all of them: 256 writes to a swap device were 100 ms. Fewer than 32 slow down random writes of 4
    /// KiB.
    /// </summary>
    public const ushort MaxBackground = 32;

    /// <summary>From this number on the kernel does no readahead.</summary>
    public const ushort CongestionThreshold = 32;

    /// <summary>Pages in a request to a kernel without MAX_PAGES.</summary>
    public const ushort LegacyPages = 32;

    private const uint PageSize = 4096;

    // Not AtomicOTrunc: without it the kernel truncates by a SETATTR after the OPEN, and that reply can wait until the pages are
    // gone. The reply to an OPEN could not: its counts are remembered only until its thread serves the next request.
    public const FuseInitFlags Wanted =
        FuseInitFlags.AsyncRead | FuseInitFlags.BigWrites | FuseInitFlags.AsyncDio
        | FuseInitFlags.ParallelDirops | FuseInitFlags.MaxPages | FuseInitFlags.HandleKillprivV2 | FuseInitFlags.DoReaddirplus
        | FuseInitFlags.ReaddirplusAuto | FuseInitFlags.InitExt | FuseInitFlags.CacheSymlinks | FuseInitFlags.DirectIoAllowMmap
        | FuseInitFlags.HasResend | FuseInitFlags.AbortError | FuseInitFlags.ExplicitInvalData;

    /// <summary>Reads fuse_init_in in either length; fields that an old kernel does not send are zero.</summary>
    /// <returns>False if it is shorter than the short form.</returns>
    public static bool TryRead(ReadOnlySpan<byte> arguments, out FuseInitIn offer)
    {
        offer = default;
        if (arguments.Length < FuseInitIn.ShortSize) return false;
        var target = MemoryMarshal.AsBytes(new Span<FuseInitIn>(ref offer));
        // Only the two lengths exist; anything between is the short form with unknown bytes behind it.
        var length = arguments.Length >= target.Length ? target.Length : FuseInitIn.ShortSize;
        arguments[..length].CopyTo(target);
        return true;
    }

    /// <summary>Answers an offer.</summary>
    /// <param name="offer">The kernel's INIT.</param>
    /// <param name="reply">The answer; only the first <paramref name="length"/> bytes are sent.</param>
    /// <param name="length">Bytes of <paramref name="reply"/> that this kernel takes: 64, 24 or 8; 0 when refused.</param>
    /// <param name="parameters">The agreement; valid with <see cref="NegotiationVerdict.Agreed"/> only.</param>
    public static NegotiationVerdict Negotiate(in FuseInitIn offer, out FuseInitOut reply, out int length,
        out SessionParameters parameters)
    {
        reply = default;
        parameters = default;
        reply.Major = FuseProtocol.Major;
        reply.Minor = FuseProtocol.Minor;
        length = FuseInitOut.VersionSize;
        if (offer.Major > FuseProtocol.Major) return NegotiationVerdict.AskAgain;
        if (offer.Major < FuseProtocol.Major || offer.Minor < FuseProtocol.OldestMinor)
        {
            length = 0;
            return NegotiationVerdict.Refused;
        }

        var flags = Offered(offer) & Wanted;
        var pages = (flags & FuseInitFlags.MaxPages) != 0 ? MaxPages : LegacyPages;
        // Without BIG_WRITES the kernel sends one page a WRITE, whatever the reply says.
        var write = (flags & FuseInitFlags.BigWrites) != 0 ? Math.Min(MaxWrite, pages * PageSize) : PageSize;

        parameters = new SessionParameters(Math.Min(FuseProtocol.Minor, offer.Minor), flags, write, pages, offer.MaxReadahead);
        reply.Minor = parameters.Minor;
        reply.MaxReadahead = offer.MaxReadahead;
        reply.Flags = (uint)flags;
        reply.Flags2 = (uint)((ulong)flags >> 32);
        reply.MaxBackground = MaxBackground;
        reply.CongestionThreshold = CongestionThreshold;
        reply.MaxWrite = write;
        reply.TimeGranularity = 1;
        reply.MaxPages = (flags & FuseInitFlags.MaxPages) != 0 ? pages : (ushort)0;
        length = parameters.Minor >= 23 ? Unsafe.SizeOf<FuseInitOut>() : FuseInitOut.ShortSize;
        return NegotiationVerdict.Agreed;
    }

    private static FuseInitFlags Offered(in FuseInitIn offer)
    {
        var low = (FuseInitFlags)offer.Flags;
        return (low & FuseInitFlags.InitExt) != 0 ? low | (FuseInitFlags)((ulong)offer.Flags2 << 32) : low;
    }
}
