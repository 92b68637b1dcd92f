using System.Net.Sockets;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Recover;

/// <summary>
/// A control socket that a dead daemon has left. It is removed only if it is a socket, of root's or this user's, in a directory
/// that no other user can change, without a listener; all of this under the lock that a daemon takes before it listens there
/// (ControlSocket), and from one descriptor of the directory.
/// </summary>
internal static class StaleSocket
{
    /// <inheritdoc cref="IMountSystem.RemoveStaleSocket"/>
    public static bool Remove(string path, out string? left)
    {
        left = null;
        var name = Path.GetFileName(path);
        if (name.Length == 0 || !Path.Exists(Path.GetDirectoryName(path))) return false;
        var opened = TrustedPath.Open(Path.GetDirectoryName(path)!, new PathWish { IsDirectory = true, OnlyOurs = true });
        if (opened.Problem is { } problem)
        {
            left = $"the socket {path} was not looked at: {problem}";
            return false;
        }
        try
        {
            if (Files.Lock(opened.Descriptor) != Errno.Ok)
            {
                left = $"the socket {path} was not looked at: a daemon is starting there; run "
                    + $"'{new ControlCommand(path).Line("recover")}' again";
                return false;
            }
            return Remove(opened.Descriptor, name, path, out left);
        }
        finally
        {
            Files.Close(opened.Descriptor);
        }
    }

    private static bool Remove(int folder, string name, string path, out string? left)
    {
        left = null;
        if (Files.StatusAt(folder, name, out var status) != Errno.Ok) return false;
        if (!status.IsSocket) left = $"{path} is no socket: not touched; name the daemon's socket with --socket";
        else if (status.Owner != 0 && status.Owner != Files.EffectiveUser())
            left = $"the socket {path} belongs to user {status.Owner}: not touched";
        else if (NobodyListens($"/proc/self/fd/{folder}/{name}")) return Files.UnlinkAt(folder, name) == Errno.Ok;
        return false;
    }

    private static bool NobodyListens(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException error)
        {
            // Any other error, such as a full queue, is a sign of life.
            return error.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (ArgumentException)
        {
            // Too long for a socket: no daemon can have listened there.
        }
        return false;
    }
}
