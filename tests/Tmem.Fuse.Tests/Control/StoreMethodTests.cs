using Tmem.Control.Messages;
using Tmem.Engine;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>The store as a whole, and its clients, over a real socket.</summary>
public sealed class StoreMethodTests : IDisposable
{
    private readonly ControlServerFixture _fixture = new();
    private readonly Peer _peer;

    public StoreMethodTests() => _peer = _fixture.Connect();

    [Fact]
    public void A_new_capacity_is_kept_for_later_workers()
    {
        var room = _peer.Call("resize", """{"capacity":536870912}""")["result"]!;
        Assert.Equal(512L << 20, room["capacityBytes"]!.GetValue<long>());
        Assert.Equal(512L << 20, _fixture.Daemon.Capacity);
    }

    [Theory]
    [InlineData(1000, "is too small")]
    [InlineData(5L << 30, "it was made for 4.0 GiB at most")]
    [InlineData(40L << 20, "it takes 300.0 MiB, and 50.0 MiB of it have to stay; its capacity is 1.0 GiB as before")]
    public void A_capacity_that_cannot_be_is_refused_before_anything_makes_way(long capacity, string says)
    {
        var reply = _peer.Call("resize", $$"""{"capacity":{{capacity}}}""");
        Assert.Contains(says, reply.Message());
        Assert.Empty(_fixture.Store.Orders);
        Assert.Equal(0, _fixture.Daemon.Capacity);
    }

    [Theory]
    [InlineData(TmemStatus.NoRoom, "have to stay")]
    [InlineData(TmemStatus.Reserved, "are guaranteed more")]
    public void A_refusal_of_the_engine_leaves_the_capacity(TmemStatus status, string says)
    {
        _fixture.Store.RoomAnswers = status;
        Assert.Contains(says, _peer.Call("resize", """{"capacity":536870912}""").Message());
        Assert.Equal(0, _fixture.Daemon.Capacity);
    }

    [Fact]
    public void Shrinking_says_how_far_it_got()
    {
        var room = _peer.Call("shrink", """{"size":10485760}""")["result"]!;
        Assert.Equal((300L << 20, 50L << 20),
            (room["usedBytesBefore"]!.GetValue<long>(), room["usedBytes"]!.GetValue<long>()));
        Assert.Equal(["shrink " + (290L << 20)], _fixture.Store.Orders);
        // What it takes is less already.
        _peer.Call("shrink", """{"size":1073741824}""");
        Assert.Single(_fixture.Store.Orders);
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("shrink", """{"size":-1}""").Code());
        Assert.NotNull(_peer.Call("compact")["result"]);
        Assert.Equal("compact", _fixture.Store.Orders[^1]);
    }

    [Theory]
    [InlineData(TmemStatus.DiskFull, "its disk is full")]
    [InlineData(TmemStatus.DiskError, "cannot be written")]
    [InlineData(TmemStatus.FileRemoved, "has been removed or replaced")]
    public void A_sync_that_fails_says_why(TmemStatus status, string says)
    {
        Assert.Equal("anonymous memory", _peer.Call("sync")["result"]!["region"]!.GetValue<string>());
        _fixture.Store.SyncAnswers = status;
        Assert.Contains(says, _peer.Call("sync").Message());
    }

    [Fact]
    public void Clients_are_listed_and_set_and_the_file_system_is_always_among_them()
    {
        var clients = _peer.Call("client.list")["result"]!["clients"]!.AsArray();
        Assert.Equal([1, 5], clients.Select(client => client!["id"]!.GetValue<int>()));
        var set = _peer.Call("client.set", """{"id":5,"weight":9}""")["result"]!;
        Assert.Equal((9, 1 << 20), (set["weight"]!.GetValue<int>(), set["limitBytes"]!.GetValue<int>()));
        set = _peer.Call("client.set", """{"id":1,"limit":4194304}""")["result"]!;
        Assert.Equal((1, 4 << 20), (set["weight"]!.GetValue<int>(), set["limitBytes"]!.GetValue<int>()));
        Assert.Equal("no client 7", _peer.Call("client.set", """{"id":7,"weight":2}""").Message());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("client.set", """{"id":5,"weight":0}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("client.set", """{"id":5,"weight":65536}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("client.set", """{"id":5,"limit":-1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("client.set", """{"weight":2}""").Code());
        _fixture.Store.RoomAnswers = TmemStatus.TableFull;
        Assert.Contains("256 clients", _peer.Call("client.set", """{"id":5,"weight":2}""").Message());
    }

    public void Dispose()
    {
        _peer.Dispose();
        _fixture.Dispose();
    }
}
