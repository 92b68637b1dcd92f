using System.Net.Sockets;
using CsCheck;
using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>The protocol: bad input of every kind, several peers, who may speak, and the socket's file.</summary>
public sealed class ControlServerTests
{
    [Theory]
    [InlineData("not json", ControlErrorCode.Parse)]
    [InlineData("{\"jsonrpc\":\"2.0\",", ControlErrorCode.Parse)]
    [InlineData("{} {}", ControlErrorCode.Parse)]
    [InlineData("[]", ControlErrorCode.InvalidRequest)]
    [InlineData("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]", ControlErrorCode.InvalidRequest)]
    [InlineData("17", ControlErrorCode.InvalidRequest)]
    [InlineData("null", ControlErrorCode.InvalidRequest)]
    [InlineData("{}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"id\":1,\"method\":\"status\"}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":3}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":\"\\udfff\",\"method\":\"status\"}", ControlErrorCode.InvalidRequest)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}", ControlErrorCode.MethodNotFound)]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", ControlErrorCode.MethodNotFound)]
    public void A_bad_line_is_answered_and_the_conversation_goes_on(string line, int code)
    {
        using var fixture = new ControlServerFixture();
        using var peer = fixture.Connect();
        var reply = peer.Ask(line);
        Assert.Equal("2.0", reply["jsonrpc"]!.GetValue<string>());
        Assert.Equal(code, reply.Code());
        Assert.NotNull(peer.Call("status")["result"]);
        Assert.Empty(fixture.Log);
    }

    [Fact]
    public void The_id_comes_back_as_it_was_and_a_notification_gets_no_reply()
    {
        using var fixture = new ControlServerFixture();
        using var peer = fixture.Connect();
        peer.Send("""{"jsonrpc":"2.0","method":"stop"}""" + "\n");
        Assert.Equal("abc", peer.Ask("""{"jsonrpc":"2.0","id":"abc","method":"status"}""")["id"]!.GetValue<string>());
        Assert.Equal("-9223372036854775808",
            peer.Ask("""{"jsonrpc":"2.0","id":-9223372036854775808,"method":"status"}""")["id"]!.ToJsonString());
        Assert.Null(peer.Ask("""{"jsonrpc":"2.0","id":null,"method":"status"}""")["id"]);
        Assert.Equal(1, fixture.Daemon.Stops);
    }

    /// <summary>An answer that its client cannot know again is none: the id is refused, and the error has none.</summary>
    [Theory]
    [InlineData("1e999", "is no whole number of 64 bits")]
    [InlineData("-1E+400", "is no whole number of 64 bits")]
    [InlineData("1.50", "is no whole number of 64 bits")]
    [InlineData("9223372036854775808", "is no whole number of 64 bits")]
    [InlineData("LONG", "is longer than 256 characters")]
    [InlineData("[1]", "is neither string, number nor null")]
    [InlineData("{}", "is neither string, number nor null")]
    [InlineData("true", "is neither string, number nor null")]
    [InlineData("1,\"id\":2", "is given twice")]
    [InlineData("1,\"\\u0069d\":2", "is given twice")]
    public void An_id_that_cannot_come_back_is_refused_and_nothing_done(string id, string problem)
    {
        using var fixture = new ControlServerFixture();
        using var peer = fixture.Connect();
        id = id == "LONG" ? $"\"{new string('x', 257)}\"" : id;
        var reply = peer.Ask($$"""{"jsonrpc":"2.0","id":{{id}},"method":"stop"}""");
        Assert.Equal(ControlErrorCode.InvalidRequest, reply.Code());
        Assert.Contains($"\"id\" {problem}", reply.Message(), StringComparison.Ordinal);
        Assert.True(reply.ContainsKey("id"));
        Assert.Null(reply["id"]);
        Assert.Equal(0, fixture.Daemon.Stops);
    }

    [Fact]
    public void Requests_may_come_in_pieces_or_many_at_once_with_carriage_returns_and_blank_lines()
    {
        using var fixture = new ControlServerFixture();
        using var peer = fixture.Connect();
        const string request = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\r\n";
        foreach (var letter in request) peer.Send(letter.ToString());
        Assert.NotNull(peer.Receive()!["result"]);
        peer.Send("\n\r\n" + request + request + request);
        for (var i = 0; i < 3; i++) Assert.NotNull(peer.Receive()!["result"]);
    }

    [Fact]
    public void A_line_of_the_greatest_length_is_served_and_a_longer_one_ends_the_conversation()
    {
        using var fixture = new ControlServerFixture();
        using (var peer = fixture.Connect())
        {
            const string request = """{"jsonrpc":"2.0","id":1,"method":"status"}""";
            Assert.NotNull(peer.Ask(request.PadRight(ControlProtocol.MaximumRequest))["result"]);
            Assert.Equal(ControlErrorCode.InvalidRequest, peer.Ask(request.PadRight(ControlProtocol.MaximumRequest + 1)).Code());
            Assert.Null(peer.Receive());
        }
        using (var flood = fixture.Connect())
        {
            flood.Send(new byte[512 * 1024]); // no newline at all
            flood.EndSending();
            Assert.Equal(ControlErrorCode.InvalidRequest, flood.Receive()!.Code());
            Assert.Null(flood.Receive());
        }
        using var after = fixture.Connect();
        Assert.NotNull(after.Call("status")["result"]);
    }

    [Fact]
    public void Half_a_line_and_a_hang_up_trouble_nobody()
    {
        using var fixture = new ControlServerFixture();
        for (var i = 0; i < 40; i++)
        {
            using var peer = fixture.Connect();
            peer.Send("""{"jsonrpc":"2.0","id":1,"meth""");
        }
        // More hang-ups than places: a place is freed soon after, so a later peer gets one.
        Assert.NotNull(EventuallyServed(fixture));
        Assert.Empty(fixture.Log);
    }

    [Fact]
    public void Any_bytes_leave_the_server_serving()
    {
        using var fixture = new ControlServerFixture();
        Gen.Byte.Array[1, 300].Sample(junk =>
        {
            using var peer = fixture.Connect();
            peer.Send(junk);
            peer.Send("\n");
            peer.EndSending();
            while (peer.Receive() is { } reply)
                Assert.True(reply.Code() is ControlErrorCode.Parse or ControlErrorCode.InvalidRequest);
        }, iter: 200, threads: 1);
        using var after = fixture.Connect();
        Assert.NotNull(after.Call("status")["result"]);
        Assert.Empty(fixture.Log);
    }

    [Fact]
    public void Whoever_sees_a_conversation_end_finds_its_place_free()
    {
        using var fixture = new ControlServerFixture(new ControlLimits { Connections = 1 });
        for (var i = 0; i < 300; i++)
        {
            using var peer = fixture.Connect();
            Assert.NotNull(peer.Call("status")["result"]);
            peer.EndSending();
            Assert.Null(peer.Receive());
        }
    }

    [Fact]
    public void Two_peers_at_full_speed_get_their_own_replies()
    {
        using var fixture = new ControlServerFixture();
        Parallel.For(0, 2, worker =>
        {
            using var peer = fixture.Connect();
            for (var i = 0; i < 200; i++)
            {
                var id = worker * 1000 + i;
                var name = $"pool{id}";
                var request = $$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"pool.create","params":{"name":"{{{name}}}"}}""";
                Assert.Equal(id, peer.Ask(request)["id"]!.GetValue<int>());
                Assert.NotNull(peer.Call("pool.destroy", $$"""{"name":"{{name}}"}""")["result"]);
            }
        });
        Assert.Empty(fixture.Store.Pools());
    }

    [Fact]
    public void A_silent_peer_loses_its_place()
    {
        using var fixture = new ControlServerFixture(new ControlLimits
        {
            Connections = 1, Idle = TimeSpan.FromMilliseconds(200),
        });
        using var silent = fixture.Connect();
        Assert.Null(silent.Receive());
        Assert.NotNull(EventuallyServed(fixture));
    }

    [Fact]
    public void Strangers_are_turned_away_by_their_credentials()
    {
        PeerCredentials seen = default;
        using var fixture = new ControlServerFixture(new ControlLimits
        {
            AccessOf = peer => { seen = peer; return ControlAccess.None; },
        });
        using var stranger = fixture.Connect();
        Assert.Equal(ControlErrorCode.NotPermitted, stranger.Receive()!.Code());
        Assert.Null(stranger.Receive());
        Assert.Equal(Environment.ProcessId, seen.Pid);
        Assert.Equal(Tmds.Linux.LibC.geteuid(), (Tmds.Linux.uid_t)seen.Uid);
        Assert.Contains($"process {seen.Pid} (", Assert.Single(fixture.Log));
    }

    [Fact]
    public void The_socket_is_for_its_owner_alone_and_goes_with_whoever_made_it()
    {
        var fixture = new ControlServerFixture();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(fixture.SocketPath));
        fixture.Server.Dispose();
        fixture.Server.Dispose();
        Assert.True(File.Exists(fixture.SocketPath));
        fixture.Dispose();
        Assert.False(File.Exists(fixture.SocketPath));
    }

    [Fact]
    public void Who_connects_between_two_servers_is_answered_by_the_next()
    {
        using var fixture = new ControlServerFixture();
        var path = Path.Combine(fixture.Folder, "inherited");
        var listener = fixture.Listen(path);
        using (var first = fixture.Serve(path, listener))
        using (var peer = new Peer(path)) Assert.NotNull(peer.Call("status")["result"]);
        using var waiting = new Peer(path);
        waiting.Send("""{"jsonrpc":"2.0","id":1,"method":"status"}""" + "\n");
        using var second = fixture.Serve(path, listener);
        Assert.NotNull(waiting.Receive()!["result"]);
    }

    [Fact]
    public void A_second_daemon_on_the_socket_is_refused_and_the_first_serves_on()
    {
        using var fixture = new ControlServerFixture();
        var error = Assert.Throws<ControlException>(() => Start(fixture.SocketPath, fixture));
        Assert.Contains(fixture.SocketPath, error.Message);
        Assert.Contains("tmemctl", error.Message);
        using var peer = fixture.Connect();
        Assert.NotNull(peer.Call("status")["result"]);
    }

    [Fact]
    public void Of_daemons_that_start_at_once_exactly_one_wins_even_over_a_stale_socket()
    {
        using var fixture = new ControlServerFixture();
        var path = Path.Combine(fixture.Folder, "contested");
        LeaveStaleSocket(path);
        var servers = new ControlServer?[4];
        Parallel.For(0, servers.Length, new ParallelOptions { MaxDegreeOfParallelism = servers.Length }, i =>
        {
            try
            {
                servers[i] = Start(path, fixture);
            }
            catch (ControlException)
            {
                servers[i] = null;
            }
        });
        var winner = Assert.Single(servers, server => server is not null)!;
        using (var peer = new Peer(path)) Assert.NotNull(peer.Call("status")["result"]);
        winner.Dispose();
    }

    [Fact]
    public void A_stale_socket_is_replaced()
    {
        using var fixture = new ControlServerFixture();
        var path = Path.Combine(fixture.Folder, "stale");
        LeaveStaleSocket(path);
        using var server = Start(path, fixture);
        using var peer = new Peer(path);
        Assert.NotNull(peer.Call("status")["result"]);
    }

    [Fact]
    public void What_is_no_socket_is_left_alone()
    {
        using var fixture = new ControlServerFixture();
        var path = Path.Combine(fixture.Folder, "precious");
        File.WriteAllText(path, "data");
        Assert.Contains("not a socket", Assert.Throws<ControlException>(() => Start(path, fixture)).Message);
        Assert.Equal("data", File.ReadAllText(path));
    }

    [Theory]
    [InlineData("relative.sock")]
    [InlineData("")]
    [InlineData("/tmp/a\0b")]
    [InlineData("/dev/null/sock")]
    [InlineData(
        "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345")]
    public void A_path_that_cannot_be_a_socket_is_named(string path)
    {
        using var fixture = new ControlServerFixture();
        Assert.Contains("control socket", Assert.Throws<ControlException>(() => Start(path, fixture)).Message);
    }

    [Fact]
    public void Disposing_lets_the_reply_under_way_leave()
    {
        using var fixture = new ControlServerFixture();
        using var hold = new ManualResetEventSlim();
        using var peer = fixture.ConnectAndCheck(hold);
        var closing = ControlServerFixture.StartWaiting(fixture.Server.Dispose);
        hold.Set();
        Assert.NotNull(peer.Receive()!["result"]);
        Assert.Null(peer.Receive());
        closing.Join();
    }

    private static ControlServer Start(string path, ControlServerFixture fixture) => fixture.Serve(path, fixture.Listen(path));

    private static void LeaveStaleSocket(string path)
    {
        // A bound socket that its process never unlinked: binds under another name and renames, because .NET unlinks the name it
        // knows.
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path + ".tmp"));
        File.Move(path + ".tmp", path);
    }

    private static object? EventuallyServed(ControlServerFixture fixture)
    {
        object? result = null;
        SpinWait.SpinUntil(() =>
        {
            using var peer = fixture.Connect();
            try
            {
                result = peer.Call("status")["result"];
            }
            catch (Exception error) when (error is SocketException or InvalidOperationException)
            {
                result = null;
            }
            return result is not null;
        }, TimeSpan.FromSeconds(20));
        return result;
    }
}
