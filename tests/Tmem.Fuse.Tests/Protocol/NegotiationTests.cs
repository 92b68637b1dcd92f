using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

public sealed class NegotiationTests
{
    /// <summary>What Linux 6.18 offers.</summary>
    private static readonly FuseInitIn s_modern = new()
    {
        Major = 7, Minor = 45, MaxReadahead = 131072, Flags = 0x73fffffb, Flags2 = 0x7fd,
    };

    private static (NegotiationVerdict Verdict, FuseInitOut Reply, int Length, SessionParameters Parameters) Ask(FuseInitIn offer)
    {
        var verdict = Negotiation.Negotiate(in offer, out var reply, out var length, out var parameters);
        return (verdict, reply, length, parameters);
    }

    [Fact]
    public void A_current_kernel_gets_everything_we_want()
    {
        var (verdict, reply, length, parameters) = Ask(s_modern);
        Assert.Equal(NegotiationVerdict.Agreed, verdict);
        Assert.Equal(64, length);
        Assert.Equal((7u, 45u), (reply.Major, reply.Minor));
        Assert.Equal(1u << 20, reply.MaxWrite);
        Assert.Equal(256, reply.MaxPages);
        Assert.Equal((32, 32), (reply.MaxBackground, reply.CongestionThreshold));
        Assert.Equal(131072u, reply.MaxReadahead);
        Assert.Equal(1u, reply.TimeGranularity);
        Assert.Equal(Negotiation.Wanted, parameters.Flags);
        Assert.Equal(Negotiation.Wanted, (FuseInitFlags)(reply.Flags | ((ulong)reply.Flags2 << 32)));
        Assert.True(parameters.Has(FuseInitFlags.AsyncDio | FuseInitFlags.HasResend));
    }

    [Theory]
    [InlineData((ulong)FuseInitFlags.WritebackCache)]
    [InlineData((ulong)FuseInitFlags.PosixAcl)]
    [InlineData((ulong)FuseInitFlags.PosixLocks)]
    [InlineData((ulong)FuseInitFlags.FlockLocks)]
    [InlineData((ulong)FuseInitFlags.AutoInvalData)]
    [InlineData((ulong)FuseInitFlags.DontMask)]
    [InlineData((ulong)FuseInitFlags.SetxattrExt)]
    [InlineData((ulong)FuseInitFlags.NoOpendirSupport)]
    [InlineData((ulong)FuseInitFlags.SpliceRead)]
    [InlineData((ulong)FuseInitFlags.OverIoUring)]
    public void What_we_cannot_do_is_never_answered(ulong flag) =>
        Assert.False(Ask(s_modern with { Flags = uint.MaxValue, Flags2 = uint.MaxValue }).Parameters.Has((FuseInitFlags)flag));

    [Fact]
    public void Nothing_is_answered_that_was_not_offered()
    {
        var (_, reply, _, parameters) = Ask(s_modern with { Flags = 0, Flags2 = uint.MaxValue });
        Assert.Equal(0u, reply.Flags | reply.Flags2);
        Assert.Equal(FuseInitFlags.None, parameters.Flags);
        Assert.Equal(4096u, reply.MaxWrite);
    }

    [Fact]
    public void High_flags_count_only_with_INIT_EXT() =>
        Assert.False(
            Ask(s_modern with { Flags = s_modern.Flags & ~(uint)FuseInitFlags.InitExt }).Parameters.Has(FuseInitFlags.HasResend));

    [Fact]
    public void Without_MAX_PAGES_requests_stay_at_128_KiB()
    {
        var (_, reply, _, parameters) = Ask(s_modern with { Flags = s_modern.Flags & ~(uint)FuseInitFlags.MaxPages });
        Assert.Equal(128u << 10, reply.MaxWrite);
        Assert.Equal(0, reply.MaxPages);
        Assert.Equal(32, parameters.MaxPages);
    }

    [Theory]
    [InlineData(12u, 24)]
    [InlineData(22u, 24)]
    [InlineData(23u, 64)]
    [InlineData(44u, 64)]
    public void An_older_kernel_is_answered_in_its_version(uint minor, int length)
    {
        var answer = Ask(s_modern with { Minor = minor });
        Assert.Equal((minor, length), (answer.Reply.Minor, answer.Length));
    }

    [Fact]
    public void A_newer_minor_is_answered_with_ours() => Assert.Equal(45u, Ask(s_modern with { Minor = 99 }).Reply.Minor);

    [Fact]
    public void A_newer_major_is_asked_again()
    {
        var (verdict, reply, length, _) = Ask(s_modern with { Major = 8, Minor = 0 });
        Assert.Equal((NegotiationVerdict.AskAgain, 8, 7u, 45u), (verdict, length, reply.Major, reply.Minor));
    }

    [Theory]
    [InlineData(6u, 45u)]
    [InlineData(7u, 11u)]
    [InlineData(0u, 0u)]
    public void A_kernel_too_old_is_refused(uint major, uint minor) =>
        Assert.Equal(NegotiationVerdict.Refused, Ask(s_modern with { Major = major, Minor = minor }).Verdict);

    [Fact]
    public void INIT_over_the_dispatcher_in_both_lengths_and_only_once()
    {
        var bench = new Bench();
        var answer = bench.Send(new Message(FuseOpcode.Init, node: 0).With(7u).With(22u).With(65536u)
            .With((uint)FuseInitFlags.BigWrites));
        Assert.Equal((Errno.Ok, 16 + 24), (answer.Error, answer.Length));
        Assert.Equal(22u, bench.Dispatcher.Parameters!.Value.Minor);
        Assert.Equal(Errno.EINVAL, bench.Send(new Message(FuseOpcode.Init, node: 0).With(s_modern)).Error);

        bench = new Bench();
        answer = bench.Send(new Message(FuseOpcode.Init, node: 0).With(s_modern));
        Assert.Equal((Errno.Ok, 16 + 64, 1u << 20), (answer.Error, answer.Length, answer.As<FuseInitOut>().MaxWrite));
    }

    [Fact]
    public void A_newer_major_can_come_back_with_ours()
    {
        var bench = new Bench();
        Assert.Equal(16 + 8, bench.Send(new Message(FuseOpcode.Init, node: 0).With(s_modern with { Major = 9 })).Length);
        Assert.Null(bench.Dispatcher.Parameters);
        Assert.Equal(16 + 64, bench.Send(new Message(FuseOpcode.Init, node: 0).With(s_modern)).Length);
    }

    [Fact]
    public void A_refusal_names_the_versions()
    {
        var bench = new Bench();
        Assert.Equal(Errno.EINVAL, bench.Send(new Message(FuseOpcode.Init, node: 0).With(s_modern with { Minor = 8 })).Error);
        Assert.Contains("7.8", Assert.Single(bench.Faults), StringComparison.Ordinal);
    }

    [Fact]
    public void An_inherited_session_needs_no_INIT()
    {
        var parameters = Ask(s_modern).Parameters;
        var dispatcher = new Dispatcher<MemoryFileSystem>(new MemoryFileSystem(), _ => { }, Tmemctl.Default, parameters);
        Assert.Equal(parameters, dispatcher.Parameters);
    }
}
