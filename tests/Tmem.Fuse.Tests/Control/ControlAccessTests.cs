using System.Net.Sockets;
using System.Reflection;
using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>Who may ask the daemon for what, and what the log says of it.</summary>
public sealed class ControlAccessTests
{
    private static ControlLimits Reader => new() { AccessOf = _ => ControlAccess.Figures };

    [Theory]
    [InlineData(0u, 50u, 1000u, ControlAccess.All)]
    [InlineData(1000u, 50u, 1000u, ControlAccess.All)]
    [InlineData(1001u, 50u, 1000u, ControlAccess.None)]
    [InlineData(1000u, 50u, 0u, ControlAccess.None)]
    [InlineData(1001u, 7u, 0u, ControlAccess.Figures)]
    [InlineData(1002u, 50u, 0u, ControlAccess.Figures)]
    [InlineData(0u, 7u, 0u, ControlAccess.All)]
    public void Root_and_the_daemons_user_do_all_and_the_sockets_group_asks_for_figures(uint user, uint group, uint daemon,
        object access)
    {
        var members = new uint[] { 1002 };
        Assert.Equal(access, new PeerCredentials(1, user, group).Access(daemon, 7, of => of == 7 && members.Contains(user)));
    }

    [Fact]
    public void Without_a_group_there_are_no_readers() =>
        Assert.Equal(ControlAccess.None, new PeerCredentials(1, 1001, 0).Access(0, null, _ => true));

    /// <summary>A new method is one of the three, by decision.</summary>
    [Fact]
    public void Every_method_tells_figures_or_changes_something_or_checks()
    {
        var methods = typeof(ControlMethod).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!).ToList();
        Assert.NotEmpty(methods);
        Assert.All(methods, method =>
        {
            bool[] kinds = [ControlMethod.IsOfFigures(method), ControlMethod.Changes(method), method == ControlMethod.Check];
            Assert.True(kinds.Count(kind => kind) == 1, method);
        });
    }

    [Fact]
    public void A_reader_gets_figures()
    {
        using var fixture = new ControlServerFixture(Reader);
        using var peer = fixture.Connect();
        Assert.NotNull(peer.Call("status")["result"]);
        Assert.NotNull(peer.Call("pool.list")["result"]);
        Assert.Equal(ControlErrorCode.NotFound, peer.Call("pool.show", """{"name":"p"}""").Code());
        Assert.Empty(fixture.Acts);
    }

    [Theory]
    [InlineData("pool.create", """{"name":"p"}""")]
    [InlineData("pool.destroy", """{"name":"p"}""")]
    [InlineData("stop", null)]
    [InlineData("check", null)]
    [InlineData("upgrade", "{}")]
    [InlineData("nope", null)]
    public void A_reader_is_refused_the_rest_and_told_who_may(string method, string? parameters)
    {
        using var fixture = new ControlServerFixture(Reader);
        using var peer = fixture.Connect();
        var reply = peer.Call(method, parameters);
        Assert.Equal(ControlErrorCode.NotPermitted, reply.Code());
        Assert.Contains("root and the daemon's own user", reply["error"]!["message"]!.GetValue<string>());
        Assert.Empty(fixture.Store.Pools());
        Assert.Equal(0, fixture.Daemon.Stops);
        var line = Assert.Single(fixture.Acts);
        Assert.StartsWith("warning control: user ", line);
        Assert.Contains($": {method}", line);
        // The connection goes on.
        Assert.NotNull(peer.Call("status")["result"]);
    }

    [Fact]
    public void An_act_is_one_line_that_says_who_and_what_and_with_which_result()
    {
        using var fixture = new ControlServerFixture();
        using var peer = fixture.Connect();
        peer.Call("pool.create", """{"name":"p"}""");
        peer.Call("pool.create", """{"name":"p"}""");
        peer.Call("pool.list");
        peer.Call("status");
        peer.Send("""{"jsonrpc":"2.0","method":"pool.destroy","params":{"name":"p"}}""" + "\n");
        peer.Call("status");
        var who = $"control: user {Tmds.Linux.LibC.geteuid()}, process {Environment.ProcessId} "
            + $"({File.ReadAllText("/proc/self/comm").TrimEnd('\n')})";
        Assert.Equal(
        [
            $$"""info {{who}}: pool.create {"name":"p"}: done""",
            $$"""warning {{who}}: pool.create {"name":"p"}: refused: pool 'p' cannot be created: the name is taken (EEXIST)""",
            $$"""info {{who}}: pool.destroy {"name":"p"}: done""",
        ], fixture.Acts);
    }

    [Fact]
    public void The_kernel_says_whether_a_peer_is_in_a_group()
    {
        using var fixture = new ControlServerFixture(new ControlLimits { Readers = uint.MaxValue - 1 });
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(fixture.SocketPath));
        const string line = "Groups:";
        var own = File.ReadLines("/proc/self/status").First(text => text.StartsWith(line, StringComparison.Ordinal))
            [line.Length..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(uint.Parse).ToList();
        Assert.All(own, group => Assert.True(PeerCredentials.IsMember(socket, group)));
        Assert.False(PeerCredentials.IsMember(socket, uint.MaxValue - 1));
    }
}
