using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A refusal about a pool gives its reason and a remedy.</summary>
public sealed class PoolRefusalTests : IDisposable
{
    private readonly ControlServerFixture _fixture = new();
    private readonly Peer _peer;

    public PoolRefusalTests() => _peer = _fixture.Connect();

    [Theory]
    [InlineData("pool.show")]
    [InlineData("pool.destroy")]
    public void An_unknown_pool_is_named(string method)
    {
        var reply = _peer.Call(method, """{"name":"nowhere"}""");
        Assert.Equal(ControlErrorCode.NotFound, reply.Code());
        Assert.Contains("'nowhere'", reply.Message());
        Assert.Equal("nowhere", reply["error"]!["data"]!["subject"]!.GetValue<string>());
        Assert.Contains("pool list", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    [Fact]
    public void A_name_that_is_taken_is_refused()
    {
        _peer.Call("pool.create", """{"name":"one"}""");
        Assert.Equal(ControlErrorCode.Exists, _peer.Call("pool.create", """{"name":"one"}""").Code());
    }

    [Theory]
    [InlineData(nameof(Errno.ENOSPC), ControlErrorCode.NoRoom)]
    [InlineData(nameof(Errno.EINVAL), ControlErrorCode.InvalidParameters)]
    [InlineData(nameof(Errno.EIO), ControlErrorCode.Internal)]
    public void What_the_file_system_refuses_keeps_its_errno(string errno, int code)
    {
        _fixture.Store.CreateAnswers = Enum.Parse<Errno>(errno);
        var reply = _peer.Call("pool.create", """{"name":"x"}""");
        Assert.Equal(code, reply.Code());
        Assert.Contains(errno, reply.Message());
    }

    [Theory]
    [InlineData(1, "leaves room for nothing")]
    [InlineData(ControlProtocol.SmallestLimit - 1, "leaves room for nothing")]
    [InlineData((1L << 30) + 1, "more than the store's capacity of 1.0 GiB")]
    public void A_limit_that_cannot_have_been_meant_is_refused(long limit, string says)
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"x","limit":{{limit}}}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains(says, reply.Message());
        Assert.Empty(_fixture.Store.Pools());
    }

    [Theory]
    [InlineData("""a\tb""", """pool name 'a\tb' has a control character in it (U+0009)""", "without control characters")]
    [InlineData("""\u001b[31m""", """pool name '\x1b[31m' has a control character in it (U+001B)""", "without control")]
    [InlineData("""a\ufffdb""", "is not UTF-8", "in UTF-8")]
    [InlineData("""a/b""", "'a/b' is no file name", "without '/'")]
    [InlineData("""a\u202eb""", """pool name 'a\u202eb' has a character in it that turns the direction""", "without")]
    [InlineData("""\u2066""", "consists of blanks only", "can be seen")]
    [InlineData("""a\u2069""", "turns the direction of text (U+2069)", "without")]
    [InlineData("  ", "consists of blanks only", "can be seen")]
    [InlineData("""\u00a0\u200b\u3000""", "consists of blanks only", "can be seen")]
    public void A_name_that_cannot_be_shown_is_refused_with_its_reason(string name, string says, string remedy)
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"{{name}}"}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains(says, reply.Message());
        Assert.Contains(remedy, reply["error"]!["data"]!["remedy"]!.GetValue<string>());
        Assert.Empty(_fixture.Store.Pools());
    }

    /// <summary>A refusal is about the request: it does not mention a reserve that was not asked for.</summary>
    [Theory]
    [InlineData(nameof(Errno.ENOSPC), 0, "no room for it", "free memory in the store, or start")]
    [InlineData(nameof(Errno.ENOSPC), 4096, "with a reserve of 4.0 KiB: the store has not so much room",
        "reserve at most 19M, free")]
    [InlineData(nameof(Errno.EINVAL), 4096, "no pools of this kind with this limit and reserve", "--reserve")]
    [InlineData(nameof(Errno.ENAMETOOLONG), 0, "its name is too long", "shorter")]
    [InlineData(nameof(Errno.EIO), 0, "is damaged", "check' names what is")]
    public void A_refusal_of_the_file_system_has_its_reason_and_remedy(string errno, long reserve, string says, string remedy)
    {
        _fixture.Store.CreateAnswers = Enum.Parse<Errno>(errno);
        var reply = _peer.Call("pool.create", $$"""{"name":"x","reserve":{{reserve}}}""");
        Assert.Contains(says, reply.Message());
        Assert.Contains(remedy, reply["error"]!["data"]!["remedy"]!.GetValue<string>());
        Assert.DoesNotContain("not valid", reply.Message());
    }

    [Fact]
    public void A_reserve_beyond_the_capacity_is_refused_as_that()
    {
        var reply = _peer.Call("pool.create", $$"""{"name":"x","reserve":{{(1L << 30) + 1}}}""");
        Assert.Equal(ControlErrorCode.InvalidParameters, reply.Code());
        Assert.Contains("more than the store's capacity of 1.0 GiB", reply.Message());
    }

    [Fact]
    public void One_pool_too_many_is_told_so_and_not_that_memory_is_short()
    {
        Assert.Equal(Engine.Format.RegionLayout.MaximumPools, ControlProtocol.MaximumPools);
        for (var i = 0; i < ControlProtocol.MaximumPools; i++)
            Assert.Equal(Errno.Ok, ((Tmem.Fuse.Filesystem.IPoolDirectory)_fixture.Store).CreatePool($"p{i}", default, 0, out _));
        _fixture.Store.CreateAnswers = Errno.ENOSPC;
        var reply = _peer.Call("pool.create", """{"name":"x"}""");
        Assert.Contains("there are 832 already", reply.Message());
        Assert.DoesNotContain("capacity", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    /// <summary>A copied command would otherwise act on the daemon of the default socket.</summary>
    [Fact]
    public void Each_command_line_in_a_refusal_addresses_this_daemon()
    {
        List<string> said = [];
        Say("pool.show", """{"name":"x"}""");
        foreach (var errno in Enum.GetValues<Errno>().Where(errno => errno != Errno.Ok))
        {
            _fixture.Store.CreateAnswers = errno;
            Say("pool.create", """{"name":"x"}""");
            Say("pool.create", """{"name":"x","reserve":4096}""");
        }
        foreach (var obstacle in (string[])["swap is still on /mnt/fake: /dev/loop7", "the loop device /dev/loop7 stands on it",
            "/mnt/fake is busy, held by process 7 (bash)", "the region's file cannot be written (NoRoom)"])
        {
            _fixture.Daemon.Obstacle = obstacle;
            Say("stop", null);
            Say("adopt", null);
            Say("upgrade", "{}");
        }
        var addressed = $"tmemctl --socket {_fixture.SocketPath} ";
        Assert.All(said, text => Assert.DoesNotContain("tmemctl", text.Replace(addressed, "", StringComparison.Ordinal),
            StringComparison.Ordinal));
        foreach (var command in (string[])["pool list", "check", "swap off --all", "adopt"])
            Assert.Contains(said, text => text.Contains($"'{addressed}{command}'", StringComparison.Ordinal));

        void Say(string method, string? parameters)
        {
            var error = _peer.Call(method, parameters)["error"]!;
            said.Add($"{error["message"]} {error["data"]!["remedy"]}");
        }
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":null}""")]
    [InlineData("""{"name":"a/b"}""")]
    [InlineData("""{"name":".."}""")]
    [InlineData("""{"name":"a\u0000b"}""")]
    [InlineData("""{"name":"\ud800"}""")]
    [InlineData("""{"name":17}""")]
    [InlineData("""{"name":"x","limit":-1}""")]
    [InlineData("""{"name":"x","limit":1.5}""")]
    [InlineData("""{"name":"x","limit":99999999999999999999}""")]
    [InlineData("""{"name":"x","ephemeral":"yes"}""")]
    [InlineData("""{"name":"x","ephemral":true}""")]
    [InlineData("""{"name":"x","name":"y"}""")]
    [InlineData("""["x"]""")]
    [InlineData("null", ControlErrorCode.InvalidRequest)]
    [InlineData("17", ControlErrorCode.InvalidRequest)]
    public void Wrong_parameters_change_nothing(string parameters, int code = ControlErrorCode.InvalidParameters)
    {
        Assert.Equal(code, _peer.Call("pool.create", parameters).Code());
        Assert.Empty(_fixture.Store.Pools());
        Assert.Empty(_fixture.Log);
    }

    [Fact]
    public void A_name_of_256_bytes_is_refused_and_one_of_255_is_not()
    {
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            $$"""{"name":"{{new string('ä', 128)}}"}""").Code());
        Assert.NotNull(_peer.Call("pool.create", $$"""{"name":"{{new string('ä', 127)}}b"}""")["result"]);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _fixture.Dispose();
    }
}
