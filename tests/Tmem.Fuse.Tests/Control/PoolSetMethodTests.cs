using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>Pools are made for others, set and emptied, over a real socket.</summary>
public sealed class PoolSetMethodTests : IDisposable
{
    private readonly ControlServerFixture _fixture = new();
    private readonly Peer _peer;

    public PoolSetMethodTests() => _peer = _fixture.Connect();

    [Fact]
    public void A_pool_is_made_for_a_user_with_a_mode()
    {
        var made = _peer.Call("pool.create", """{"name":"a","owner":1000,"group":50,"mode":448,"pageSize":4096}""")["result"]!;
        Assert.Equal((1000, 50, 448),
            (made["owner"]!.GetValue<int>(), made["group"]!.GetValue<int>(), made["mode"]!.GetValue<int>()));
        var plain = _peer.Call("pool.create", """{"name":"b"}""")["result"]!;
        Assert.Equal((0, 493), (plain["owner"]!.GetValue<int>(), plain["mode"]!.GetValue<int>()));
        Assert.Contains("a pool of files has pages of 4.0 KiB",
            _peer.Call("pool.create", """{"name":"c","pageSize":8192}""").Message());
        Assert.Equal("pool 'c': mode 10000 is out of range", _peer.Call("pool.create", """{"name":"c","mode":4096}""").Message());
        Assert.Equal(2, _fixture.Store.Pools().Count);
    }

    [Fact]
    public void Settings_are_changed_as_far_as_they_are_given()
    {
        _peer.Call("pool.create", """{"name":"a","limit":1048576}""");
        var set = _peer.Call("pool.set", """{"name":"a","codec":"zstd","mode":448}""")["result"]!["pool"]!;
        Assert.Equal(("zstd", 448, 1048576),
            (set["codec"]!.GetValue<string>(), set["mode"]!.GetValue<int>(), set["limitBytes"]!.GetValue<int>()));
        set = _peer.Call("pool.set", """{"name":"a","limit":0,"reserve":4096,"owner":3}""")["result"]!["pool"]!;
        Assert.Equal((0, 4096, 3, "zstd"), (set["limitBytes"]!.GetValue<int>(), set["reserveBytes"]!.GetValue<int>(),
            set["owner"]!.GetValue<int>(), set["codec"]!.GetValue<string>()));
    }

    /// <summary>The fake's pools take 128 bytes.</summary>
    [Fact]
    public void What_is_above_a_new_limit_is_said()
    {
        _peer.Call("pool.create", """{"name":"a"}""");
        var set = _peer.Call("pool.set", """{"name":"a","limit":65536}""")["result"]!;
        Assert.Equal((0, 0), (set["excessBytes"]!.GetValue<int>(), set["pagesEvicted"]!.GetValue<int>()));
        _fixture.Store.Taken = 70_000;
        Assert.Equal(70_000 + 28 - 65536,
            _peer.Call("pool.set", """{"name":"a","limit":65536}""")["result"]!["excessBytes"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("""{"name":"none","limit":0}""", ControlErrorCode.NotFound)]
    [InlineData("""{"name":"a","limit":-1}""")]
    [InlineData("""{"name":"a","limit":1000}""")]
    [InlineData("""{"name":"a","limit":1099511627776}""")]
    [InlineData("""{"name":"a","reserve":1099511627776}""")]
    [InlineData("""{"name":"a","reserve":2097152,"limit":1048576}""")]
    [InlineData("""{"name":"a","mode":4096}""")]
    [InlineData("""{"name":"a","mode":-1}""")]
    [InlineData("""{"name":"a","codec":"gzip"}""")]
    [InlineData("""{"name":"a","ephemeral":true}""")]
    [InlineData("""{"name":"e","reserve":4096}""")]
    public void What_cannot_be_is_refused_and_nothing_changed(string wish, int code = ControlErrorCode.InvalidParameters)
    {
        _peer.Call("pool.create", """{"name":"a"}""");
        _peer.Call("pool.create", """{"name":"e","ephemeral":true}""");
        var before = _fixture.Store.Pools();
        Assert.Equal(code, _peer.Call("pool.set", wish).Code());
        Assert.Equal(before, _fixture.Store.Pools());
    }

    [Fact]
    public void A_refusal_of_the_file_system_names_pool_and_reason()
    {
        _peer.Call("pool.create", """{"name":"a"}""");
        _fixture.Store.CreateAnswers = Errno.ENOSPC;
        var reply = _peer.Call("pool.set", """{"name":"a","reserve":1048576}""");
        Assert.StartsWith("pool 'a' cannot be set with a reserve of 1.0 MiB: the store has not so much room", reply.Message(),
            StringComparison.Ordinal);
        Assert.Contains("reserve at most", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    [Fact]
    public void A_pool_is_emptied_unless_it_is_in_use()
    {
        _peer.Call("pool.create", """{"name":"a"}""");
        _fixture.Store.Filled.Add("a");
        _fixture.Store.Busy.Add("a");
        _fixture.Daemon.Holders["a"] = ["/mnt/a/f by process 123 (bash)"];
        var busy = _peer.Call("pool.empty", """{"name":"a"}""");
        Assert.Equal("pool 'a' cannot be emptied: files of it are open: /mnt/a/f by process 123 (bash) (EBUSY)", busy.Message());
        _fixture.Store.Busy.Clear();
        Assert.Equal(5, _peer.Call("pool.empty", """{"name":"a"}""")["result"]!["pagesFreed"]!.GetValue<int>());
        Assert.Equal(ControlErrorCode.NotFound, _peer.Call("pool.empty", """{"name":"none"}""").Code());
        Assert.Single(_fixture.Store.Pools());
    }

    public void Dispose()
    {
        _peer.Dispose();
        _fixture.Dispose();
    }
}
