using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using static Tmds.Linux.LibC;

namespace Tmem.Fuse.Control;

/// <summary>
/// Binds the control socket: refuses when a daemon answers there, replaces the file when nobody does. The whole sequence runs
/// under a lock on the directory, so that of two daemons that start at once one sees the other's live socket instead of unlinking
/// it. The directory is one that nobody else can change (<see cref="TrustedPath"/>): another user's socket in this one's place
/// would get what is meant for the daemon.
/// </summary>
internal static partial class ControlSocket
{
    private const int LongestPath = ControlProtocol.LongestSocketPath;
    private const int Backlog = 16;
    private const uint TypeMask = 0xF000;
    private const uint TypeSocket = 0xC000;
    private const int AtSymlinkNoFollow = 0x100;
    private const uint NotOwner = 0x7F; // 0177

    /// <summary>Returns a listening socket of mode 0600.</summary>
    /// <exception cref="ControlException">A daemon serves there, something else is in the way, or the directory cannot be
    /// written.</exception>
    public static Socket Listen(string path) => Prepare(path, Bind);

    /// <summary>Refuses as <see cref="Listen"/> would, before anything else is begun.</summary>
    /// <exception cref="ControlException">As for <see cref="Listen"/>.</exception>
    public static void EnsureFree(string path) => Prepare<Socket?>(path, _ => null);

    private static T Prepare<T>(string path, Func<string, T> then)
    {
        if (path.Length == 0 || path[0] != '/' || path.Contains('\0'))
            throw new ControlException(
                $"control socket '{path}': not an absolute path; give one, for example --socket /run/tmem/tmemd.sock");
        if (Encoding.UTF8.GetByteCount(path) > LongestPath)
            throw new ControlException(
                $"control socket {path}: longer than {LongestPath} bytes, which Unix sockets cannot be; give a shorter --socket");
        var (directory, name) = (Path.GetDirectoryName(path) ?? "/", Path.GetFileName(path));
        if (name.Length == 0)
            throw new ControlException($"control socket {path}: that is a directory; give the socket a name in it");
        var opened = TrustedPath.Open(directory, new PathWish { Flags = O_CREAT, IsDirectory = true, OnlyOurs = true });
        if (opened.Problem is { } problem)
            throw new ControlException($"control socket {path}: its directory cannot be used ({problem}); "
                + "run as root or give another --socket");
        try
        {
            Lock(opened.Descriptor, directory);
            RemoveStale(opened.Descriptor, name, path);
            return then(path);
        }
        finally
        {
            _ = close(opened.Descriptor);
        }
    }

    /// <summary>Takes a socket away that nobody serves any more. What is no socket stays.</summary>
    public static void Remove(string path)
    {
        var opened = TrustedPath.Open(Path.GetDirectoryName(path) ?? "/", new PathWish { IsDirectory = true, OnlyOurs = true });
        if (!opened.IsOpen) return;
        if (FileType(opened.Descriptor, Path.GetFileName(path)) == TypeSocket) Unlink(opened.Descriptor, Path.GetFileName(path));
        _ = close(opened.Descriptor);
    }

    private static void Lock(int descriptor, string directory)
    {
        while (Libc.flock(descriptor, Libc.LOCK_EX) < 0)
        {
            if (Marshal.GetLastPInvokeError() == EINTR) continue;
            throw new ControlException(
                $"control socket directory {directory}: cannot lock it; give a --socket on a local file system");
        }
    }

    private static void RemoveStale(int directory, string name, string path)
    {
        var type = FileType(directory, name);
        if (type == 0) return;
        if (type != TypeSocket)
            throw new ControlException(
                $"control socket {path}: something that is not a socket has this name; remove it or give another --socket");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused)
        {
            Unlink(directory, name);
            return;
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.AccessDenied)
        {
            throw new ControlException(
                $"control socket {path}: it is another user's, and his daemon may serve it; run as root, or give another "
                + "--socket", error);
        }
        catch (SocketException error)
        {
            // Not to be removed: a daemon whose socket has lost its name can be reached by nobody.
            throw new ControlException(
                $"control socket {path}: cannot tell whether a daemon serves it ({error.Message}); see what "
                + $"'{new ControlCommand(path).Line("status")}' says, or give another --socket", error);
        }
        throw new ControlException(
            $"control socket {path}: a daemon serves it already; stop it with '{new ControlCommand(path).Line("stop")}', or give "
            + "this one another --socket");
    }

    private static unsafe uint FileType(int directory, string name)
    {
        stat status;
        fixed (byte* bytes = Encoding.UTF8.GetBytes(name + '\0'))
            return fstatat(directory, bytes, &status, AtSymlinkNoFollow) < 0 ? 0 : (uint)status.st_mode & TypeMask;
    }

    private static unsafe void Unlink(int directory, string name)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(name + '\0')) _ = unlinkat(directory, bytes, 0);
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Mask(uint mask);

    private static Socket Bind(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // Made with its mode: a change of it would look the name up once more.
            var mask = Mask(NotOwner);
            try
            {
                socket.Bind(new UnixDomainSocketEndPoint(path));
            }
            finally
            {
                _ = Mask(mask);
            }
            socket.Listen(Backlog);
            return socket;
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new ControlException(
                $"control socket {path}: cannot listen there ({error.Message}); run as root or give another --socket", error);
        }
    }
}
