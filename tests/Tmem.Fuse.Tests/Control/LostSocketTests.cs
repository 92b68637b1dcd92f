using System.Net.Sockets;
using Tmem.Fuse.Control;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>
/// A control socket that has lost its name gets another file, by the rules of the first; open connections continue.
/// </summary>
public sealed class LostSocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-lost-").FullName;

    private string SocketPath => Path.Combine(_folder, "run", "sock");

    [Fact]
    public void A_directory_that_was_removed_too_is_made_again()
    {
        var bound = ControlSocket.Listen(SocketPath);
        Assert.Null(ControlSocket.Renew(SocketPath, bound.File, null, Nowhere));
        Directory.Delete(Path.Combine(_folder, "run"), recursive: true);
        var renewed = Renewed(bound);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
        Assert.NotEqual(bound.File, renewed.File);
        Assert.Null(ControlSocket.Renew(SocketPath, renewed.File, null, Nowhere));
        Close(bound, renewed);
    }

    [Fact]
    public void It_is_not_made_where_others_could_replace_it()
    {
        var bound = ControlSocket.Listen(SocketPath);
        File.Delete(SocketPath);
        File.SetUnixFileMode(Path.Combine(_folder, "run"), (UnixFileMode)0x1FF);
        var error = Assert.Throws<ControlException>(() => Renewed(bound));
        Assert.Contains("others may write to", error.Message, StringComparison.Ordinal);
        Assert.Contains("send SIGHUP again", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(SocketPath));
        Close(bound);
    }

    [Fact]
    public void It_is_not_looked_for_on_the_daemons_own_mount()
    {
        var bound = ControlSocket.Listen(SocketPath);
        File.Delete(SocketPath);
        Assert.Throws<ControlException>(() => ControlSocket.Renew(SocketPath, bound.File, null, (_, _) => true));
        Assert.False(File.Exists(SocketPath));
        Close(bound);
    }

    [Fact]
    public void A_directory_that_somebody_keeps_locked_is_said_to_be()
    {
        var bound = ControlSocket.Listen(SocketPath);
        var folder = Libc.open(Path.Combine(_folder, "run"), 0);
        Assert.Equal(0, Libc.flock(folder, Libc.LOCK_EX));
        var error = Assert.Throws<ControlException>(() => Renewed(bound));
        Assert.Contains("locked", error.Message, StringComparison.Ordinal);
        _ = Libc.close(folder);
        Assert.Null(ControlSocket.Renew(SocketPath, bound.File, null, Nowhere));
        Close(bound);
    }

    [Fact]
    public void One_that_has_so_many_waiting_that_nobody_gets_in_is_served_by_somebody()
    {
        var bound = ControlSocket.Listen(SocketPath);
        File.Delete(SocketPath);
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(SocketPath));
        other.Listen(0);
        using var waiting = new Peer(SocketPath);
        Assert.Contains("a daemon serves it already", Assert.Throws<ControlException>(() => Renewed(bound)).Message,
            StringComparison.Ordinal);
        Assert.True(File.Exists(SocketPath));
        Close(bound);
    }

    [Fact]
    public void At_the_end_only_the_daemons_own_socket_is_removed()
    {
        var bound = ControlSocket.Listen(SocketPath);
        File.Move(SocketPath, SocketPath + ".away");
        var other = ControlSocket.Listen(SocketPath);
        ControlSocket.Remove(SocketPath, bound.File);
        Assert.True(File.Exists(SocketPath));
        ControlSocket.Remove(SocketPath, other.File);
        Assert.False(File.Exists(SocketPath));
        Close(bound, other);
    }

    [Fact]
    public void A_server_goes_on_with_another_socket_and_ends_no_conversation()
    {
        using var fixture = new ControlServerFixture();
        using var before = fixture.Connect();
        Assert.NotNull(before.Call("status")["result"]);
        // Time for the thread that accepts peers to sleep on the socket that it will leave.
        Thread.Sleep(100);
        File.Delete(fixture.SocketPath);
        var renewed = ControlSocket.Listen(fixture.SocketPath);
        var handedOn = 0;
        fixture.Server.ListenOn(renewed.Descriptor, () => handedOn++);
        Close(renewed);
        Assert.Equal(1, handedOn);
        for (var round = 0; round < 3; round++)
        {
            using var after = fixture.Connect();
            Assert.NotNull(after.Call("status")["result"]);
        }
        Assert.NotNull(before.Call("status")["result"]);
        Assert.Empty(fixture.Log);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static bool Nowhere(uint major, uint minor) => false;

    private BoundSocket Renewed(BoundSocket old) => ControlSocket.Renew(SocketPath, old.File, null, Nowhere)!.Value;

    private static void Close(params BoundSocket[] sockets)
    {
        foreach (var socket in sockets) _ = Libc.close(socket.Descriptor);
    }
}
