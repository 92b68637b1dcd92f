using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A request whose peer has hung up is not begun: its caller has been told that nothing came of it.</summary>
public sealed class HungUpPeerTests
{
    private static readonly string[] s_changes =
    [
        """{"jsonrpc":"2.0","id":1,"method":"pool.destroy","params":{"name":"kept","force":true}}""",
        """{"jsonrpc":"2.0","id":2,"method":"pool.create","params":{"name":"unwanted"}}""",
        """{"jsonrpc":"2.0","id":3,"method":"upgrade","params":{}}""",
        """{"jsonrpc":"2.0","id":4,"method":"stop"}""",
        """{"jsonrpc":"2.0","method":"stop"}""",
    ];

    [Fact]
    public void Requests_that_lay_there_before_anybody_served_are_dropped()
    {
        using var fixture = new ControlServerFixture();
        MakePool(fixture);
        var path = Path.Combine(fixture.Folder, "later");
        var listener = fixture.Listen(path);
        // A worker that is stopped, or has not begun: the kernel accepts the connection and the bytes.
        foreach (var change in s_changes)
        {
            using var peer = new Peer(path);
            peer.Send(change + "\n");
        }
        using var server = fixture.Serve(path, listener);
        using var last = new Peer(path);
        Assert.NotNull(last.Call("status")["result"]);
        server.Dispose();
        AssertUntouched(fixture);
    }

    [Fact]
    public void Requests_behind_one_that_is_under_way_are_dropped_with_their_peer()
    {
        using var fixture = new ControlServerFixture();
        MakePool(fixture);
        using var hold = fixture.Store.HoldVerify = new ManualResetEventSlim();
        using (var peer = fixture.Connect())
        {
            peer.Send("""{"jsonrpc":"2.0","id":0,"method":"check"}""" + "\n" + string.Join("\n", s_changes) + "\n");
            fixture.Store.VerifyBegun.Wait(TestContext.Current.CancellationToken);
        }
        hold.Set();
        fixture.Server.Dispose();
        AssertUntouched(fixture);
    }

    [Fact]
    public void A_stop_whose_peer_hangs_up_while_the_disk_is_waited_for_stops_nothing()
    {
        using var fixture = new ControlServerFixture();
        using var hold = fixture.Daemon.Hold = new ManualResetEventSlim();
        using var begun = fixture.Daemon.Begun = new CountdownEvent(1);
        using (var peer = fixture.Connect())
        {
            peer.Send(s_changes[3] + "\n");
            Assert.True(begun.Wait(20_000, TestContext.Current.CancellationToken));
        }
        hold.Set();
        fixture.Server.Dispose();
        Assert.Equal(0, fixture.Daemon.Stops);
    }

    [Fact]
    public void A_peer_that_has_only_ended_its_sending_is_answered()
    {
        using var fixture = new ControlServerFixture();
        MakePool(fixture);
        using var peer = fixture.Connect();
        peer.Send(s_changes[0] + "\n" + s_changes[3] + "\n");
        peer.EndSending();
        Assert.NotNull(peer.Receive()!["result"]);
        Assert.NotNull(peer.Receive()!["result"]);
        Assert.Null(peer.Receive());
        Assert.Equal(1, fixture.Daemon.Stops);
    }

    private static void MakePool(ControlServerFixture fixture)
    {
        using var peer = fixture.Connect();
        Assert.NotNull(peer.Call("pool.create", """{"name":"kept"}""")["result"]);
    }

    private static void AssertUntouched(ControlServerFixture fixture)
    {
        Assert.Equal("kept", Assert.Single(fixture.Store.Pools()).Name);
        Assert.Equal(0, fixture.Daemon.Stops);
        Assert.Null(fixture.Daemon.Upgraded);
    }
}
