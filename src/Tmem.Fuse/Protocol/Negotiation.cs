using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Protocol;

/// <summary>
/// What kernel and daemon agreed on: a plain value, so that a successor can serve the same connection without a new INIT.
/// </summary>
/// <param name="Minor">Minor version spoken, at most ours.</param>
/// <param name="Flags">What both sides do.</param>
/// <param name="MaxWrite">Largest data of a WRITE, in bytes.</param>
/// <param name="MaxPages">Most pages of 4096 bytes in a request.</param>
/// <param name="MaxReadahead">Bytes the kernel may read ahead.</param>
internal readonly record struct SessionParameters(uint Minor, FuseInitFlags Flags, uint MaxWrite, ushort MaxPages,
    uint MaxReadahead)
{
    public bool Has(FuseInitFlags flag) => (Flags & flag) == flag;
}

/// <summary>How an INIT is to be answered.</summary>
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
/// INIT as a pure function: the kernel's offer in, the answer out. Only what the kernel offers is answered.
/// Left out on purpose: WRITEBACK_CACHE (delays writes, and can deadlock when the kernel reclaims memory by swapping to us),
/// AUTO_INVAL_DATA (this file system changes only through its mount, so EXPLICIT_INVAL_DATA holds), DONT_MASK (the kernel applies
/// the umask), POSIX_ACL, the lock flags (the kernel keeps locks), the SPLICE flags (requests are read into a buffer),
/// SETXATTR_EXT (serves ACLs only), NO_OPENDIR_SUPPORT (directories have handles).
/// </summary>
internal static class Negotiation
{
    public const uint MaxWrite = 1 << 20;
    public const ushort MaxPages = 256;
    /// <summary>
    /// Requests that nobody waits for, of at most 1 MiB each, which the kernel sends before it makes their makers wait. Whoever
    /// does wait is behind all of them: 256 writes to a swap device were 100 ms. Fewer than 32 cost random writes of 4 KiB.
    /// </summary>
    public const ushort MaxBackground = 32;

    /// <summary>From here on the kernel reads nothing ahead that nobody has asked for.</summary>
    public const ushort CongestionThreshold = 32;

    /// <summary>Pages in a request to a kernel without MAX_PAGES.</summary>
    public const ushort LegacyPages = 32;

    private const uint PageSize = 4096;

    // Not AtomicOTrunc: the kernel truncates by a SETATTR after the OPEN then, whose answer can wait until the pages are gone.
    // That to an OPEN could not: what it counted is remembered only until its thread serves the next request.
    public const FuseInitFlags Wanted =
        FuseInitFlags.AsyncRead | FuseInitFlags.BigWrites | FuseInitFlags.AsyncDio
        | FuseInitFlags.ParallelDirops | FuseInitFlags.MaxPages | FuseInitFlags.HandleKillprivV2 | FuseInitFlags.DoReaddirplus
        | FuseInitFlags.ReaddirplusAuto | FuseInitFlags.InitExt | FuseInitFlags.CacheSymlinks | FuseInitFlags.DirectIoAllowMmap
        | FuseInitFlags.HasResend | FuseInitFlags.AbortError | FuseInitFlags.ExplicitInvalData;

    /// <summary>Reads fuse_init_in in either length; what an old kernel does not send counts as zero.</summary>
    /// <returns>False if even the short form is not there.</returns>
    public static bool TryRead(ReadOnlySpan<byte> arguments, out FuseInitIn offer)
    {
        offer = default;
        if (arguments.Length < FuseInitIn.ShortSize) return false;
        var target = MemoryMarshal.AsBytes(new Span<FuseInitIn>(ref offer));
        // Only the two lengths exist; in between is the short form with something unknown behind it.
        var length = arguments.Length >= target.Length ? target.Length : FuseInitIn.ShortSize;
        arguments[..length].CopyTo(target);
        return true;
    }

    /// <summary>Answers an offer.</summary>
    /// <param name="offer">The kernel's INIT.</param>
    /// <param name="reply">The answer; only the first <paramref name="length"/> bytes are sent.</param>
    /// <param name="length">Bytes of <paramref name="reply"/> that this kernel takes: 64, 24 or 8; 0 when refused.</param>
    /// <param name="parameters">What was agreed; meaningful with <see cref="NegotiationVerdict.Agreed"/> only.</param>
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
        // Without BIG_WRITES the kernel sends one page a WRITE, whatever is answered.
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
