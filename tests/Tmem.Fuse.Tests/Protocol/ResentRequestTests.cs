using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

/// <summary>The effect of a message that is sent again, as far as the protocol goes.</summary>
public sealed class ResentRequestTests
{
    private const ulong Unique = 42;
    private readonly Bench _bench = new();

    private static Message Mkdir(ulong unique) =>
        new Message(FuseOpcode.Mkdir, unique: unique).With(new FuseMkdirIn { Mode = 0x1ED }).Name("d");

    [Fact]
    public void A_request_that_is_remembered_is_answered_and_not_carried_out()
    {
        var remembered = new Recollection
        {
            HasEntry = true, HasOpen = true, Entry = new FuseEntryOut { NodeId = 7, Generation = 8 }, Open = new FuseOpenOut
            {
                Fh = 9,
            },
        };
        _bench.Files.Remembered = (Unique, remembered);
        var answer = _bench.Send(Mkdir(Unique | FuseProtocol.UniqueResend));
        Assert.Equal((Errno.Ok, Unique | FuseProtocol.UniqueResend), (answer.Error, answer.Unique));
        Assert.Equal((7UL, 8UL), (answer.As<FuseEntryOut>().NodeId, answer.As<FuseEntryOut>().Generation));
        Assert.Equal(9UL, answer.As<FuseOpenOut>(128).Fh);
        Assert.Equal(144, answer.Body.Length);
        Assert.Equal("", _bench.LastCall);
    }

    [Fact]
    public void A_request_that_is_not_remembered_is_carried_out_and_its_answer_marked()
    {
        var answer = _bench.Send(Mkdir(Unique | FuseProtocol.UniqueResend));
        Assert.Equal((Errno.Ok, Unique | FuseProtocol.UniqueResend), (answer.Error, answer.Unique));
        Assert.StartsWith("mkdir", _bench.LastCall, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_without_the_mark_is_not_looked_up()
    {
        _bench.Files.Remembered = (Unique, default);
        _bench.Send(Mkdir(Unique));
        Assert.StartsWith("mkdir", _bench.LastCall, StringComparison.Ordinal);
    }

    [Fact]
    public void Forgets_are_repeated_from_where_they_stopped()
    {
        var message = new Message(FuseOpcode.BatchForget, unique: Unique).With(new FuseBatchForgetIn { Count = 3 })
            .With(new FuseForgetOne { NodeId = 5, Nlookup = 1 }).With(new FuseForgetOne { NodeId = 6, Nlookup = 2 })
                .With(new FuseForgetOne { NodeId = 7, Nlookup = 3 });
        _bench.Files.ForgottenBefore = (Unique, 1);
        _bench.Repeat([.. message.Build(), 1, 2, 3]);
        Assert.Equal(["forget 6 2", "forget 7 3"], _bench.Files.Calls);
        _bench.Files.Calls.Clear();
        _bench.Files.ForgottenBefore = (Unique, 3);
        _bench.Repeat(message.Build());
        _bench.Repeat(new Message(FuseOpcode.Forget, 5, Unique).With(new FuseForgetIn { Nlookup = 1 }).Build());
        Assert.Empty(_bench.Files.Calls);
        _bench.Repeat(new Message(FuseOpcode.Forget, 5, Unique + 2).With(new FuseForgetIn { Nlookup = 1 }).Build());
        Assert.Equal(["forget 5 1"], _bench.Files.Calls);
    }

    [Fact]
    public void Nothing_malformed_is_repeated()
    {
        _bench.Repeat([]);
        _bench.Repeat(new Message(FuseOpcode.Forget, 5, Unique).Build());
        _bench.Repeat(new Message(FuseOpcode.Forget, 5, Unique) { Length = 1000 }.With(new FuseForgetIn { Nlookup = 1 }).Build());
        _bench.Repeat(new Message(FuseOpcode.Forget, 5, Unique) { Length = 3 }.With(new FuseForgetIn { Nlookup = 1 }).Build());
        Assert.Empty(_bench.Files.Calls);
    }

    [Fact]
    public void An_init_that_was_read_and_not_answered_is_answered_by_the_next_process_alike()
    {
        var offer = new FuseInitIn { Major = 7, Minor = 45, MaxReadahead = 131072, Flags = 0x73fffffb, Flags2 = 0x7fd };
        var reply = new byte[IRequestHandler.MinimumReply];
        SessionParameters? agreed = null;
        var first = new Dispatcher<MemoryFileSystem>(new MemoryFileSystem(), _ => { }, Tmemctl.Default,
            onAgreed: parameters => agreed = parameters);
        var length = first.Dispatch(new Message(FuseOpcode.Init, 0).With(offer).Build(), reply, 0, out _);
        Assert.Equal(first.Parameters, agreed);
        var answer = reply[16..length];

        var next = new Dispatcher<MemoryFileSystem>(new MemoryFileSystem(), _ => { }, Tmemctl.Default, agreed);
        Assert.Equal(length,
            next.Dispatch(new Message(FuseOpcode.Init, 0, FuseProtocol.UniqueResend | 2).With(offer).Build(), reply, 0, out _));
        Assert.Equal(answer, reply[16..length]);
        Assert.Equal(16, next.Dispatch(new Message(FuseOpcode.Init, 0).With(offer).Build(), reply, 0, out _));
    }
}
