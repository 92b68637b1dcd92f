using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>Places at the socket: peers that send nothing, or little at a time, shut nobody out.</summary>
public sealed class ControlPlacesTests
{
    private const string Upgrade = """{"jsonrpc":"2.0","id":1,"method":"upgrade","params":{}}""" + "\n";

    [Fact]
    public void With_all_places_taken_whoever_has_been_silent_for_longest_gives_way()
    {
        using var fixture = new ControlServerFixture(new ControlLimits { Connections = 3 });
        var peers = Enumerable.Range(0, 3).Select(_ => fixture.Connect()).ToList();
        foreach (var peer in peers) Assert.NotNull(peer.Call("status")["result"]);
        Assert.NotNull(peers[0].Call("status")["result"]);
        using var late = fixture.Connect();
        Assert.NotNull(late.Call("status")["result"]);
        Assert.Null(peers[1].Receive());
        Assert.NotNull(peers[0].Call("status")["result"]);
        Assert.NotNull(peers[2].Call("status")["result"]);
        foreach (var peer in peers) peer.Dispose();
    }

    [Fact]
    public void Hundreds_of_silent_and_slow_peers_do_not_shut_out_one_that_speaks()
    {
        using var fixture = new ControlServerFixture();
        var peers = new List<Peer>();
        for (var i = 0; i < 200; i++)
        {
            peers.Add(fixture.Connect());
            try
            {
                peers[^1].Send("{");
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Turned away, or already closed to make way.
            }
            if (i % 20 != 19) continue;
            using var speaking = fixture.Connect();
            Assert.NotNull(speaking.Call("status")["result"]);
        }
        foreach (var peer in peers) peer.Dispose();
        Assert.Empty(fixture.Log);
    }

    [Fact]
    public void A_request_under_way_does_not_give_way_and_one_too_many_is_told_so()
    {
        using var fixture = new ControlServerFixture(new ControlLimits { Connections = 2 });
        using var hold = fixture.Daemon.Hold = new ManualResetEventSlim();
        using var begun = fixture.Daemon.Begun = new CountdownEvent(2);
        var peers = Enumerable.Range(0, 2).Select(_ => fixture.Connect()).ToList();
        foreach (var peer in peers) peer.Send(Upgrade);
        Assert.True(begun.Wait(20_000, TestContext.Current.CancellationToken));
        using (var late = fixture.Connect())
        {
            Assert.Equal(ControlErrorCode.TooManyConnections, late.Receive()!.Code());
            Assert.Null(late.Receive());
        }
        hold.Set();
        foreach (var peer in peers) Assert.NotNull(peer.Receive()!["result"]);
        foreach (var peer in peers) peer.Dispose();
    }

    [Fact]
    public void A_line_that_does_not_get_whole_in_time_ends_the_conversation()
    {
        using var fixture = new ControlServerFixture(new ControlLimits { Line = TimeSpan.FromMilliseconds(300) });
        using var drip = fixture.Connect();
        // A byte every 50 ms: never silent, and never done.
        var closed = SpinWait.SpinUntil(() =>
        {
            try
            {
                drip.Send(" ");
                Thread.Sleep(50);
                return false;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return true;
            }
        }, TimeSpan.FromSeconds(20));
        Assert.True(closed, "a peer that sends a byte now and then kept its place");
    }
}
