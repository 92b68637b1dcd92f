using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Tmem.Fuse.Control;

/// <summary>
/// Binds the control socket: refuses when a daemon answers there, replaces the file when nobody does. The whole sequence runs under a lock on
/// the directory, so that of two daemons that start at once one sees the other's live socket instead of unlinking it.
/// </summary>
internal static partial class ControlSocket
{
    private const int LongestPath = 107;
    private const int Backlog = 16;
    private const uint TypeMask = 0xF000;
    private const uint TypeSocket = 0xC000;
    private const int LockExclusive = 2;

    /// <summary>Returns a listening socket of mode 0600.</summary>
    /// <exception cref="ControlException">A daemon serves there, something else is in the way, or the directory cannot be written.</exception>
    public static Socket Listen(string path) => Prepare(path, Bind);

    /// <summary>Refuses as <see cref="Listen"/> would, before anything else is begun.</summary>
    /// <exception cref="ControlException">As for <see cref="Listen"/>.</exception>
    public static void EnsureFree(string path) => Prepare<Socket?>(path, _ => null);

    private static T Prepare<T>(string path, Func<string, T> then)
    {
        if (path.Length == 0 || path[0] != '/' || path.Contains('\0'))
            throw new ControlException($"control socket '{path}': not an absolute path; give one, for example --socket /run/tmem/tmemd.sock");
        if (Encoding.UTF8.GetByteCount(path) > LongestPath)
            throw new ControlException($"control socket {path}: longer than {LongestPath} bytes, which Unix sockets cannot be; give a shorter --socket");
        var directory = MakeDirectory(path);
        var lockDescriptor = Lock(directory);
        try
        {
            RemoveStale(path);
            return then(path);
        }
        finally
        {
            _ = close(lockDescriptor);
        }
    }

    private static string MakeDirectory(string path)
    {
        var directory = Path.GetDirectoryName(path) ?? "/";
        try
        {
            Directory.CreateDirectory(directory, (UnixFileMode)0x1ED); // 0755: the socket's own mode and the peer check guard it
            return directory;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ControlException($"control socket {path}: cannot make its directory ({error.Message}); run as root or give another --socket", error);
        }
    }

    private static unsafe int Lock(string directory)
    {
        int descriptor;
        fixed (byte* name = Encoding.UTF8.GetBytes(directory + '\0'))
            descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) throw new ControlException($"control socket directory {directory}: cannot open it (errno {(int)errno}); run as root or give another --socket");
        while (Flock(descriptor, LockExclusive) < 0)
        {
            if (Marshal.GetLastPInvokeError() == EINTR) continue;
            _ = close(descriptor);
            throw new ControlException($"control socket directory {directory}: cannot lock it; give a --socket on a local file system");
        }
        return descriptor;
    }

    private static void RemoveStale(string path)
    {
        var type = FileType(path);
        if (type == 0) return;
        if (type != TypeSocket)
            throw new ControlException($"control socket {path}: something that is not a socket has this name; remove it or give another --socket");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException error)
        {
            throw new ControlException($"control socket {path}: cannot tell whether a daemon serves it ({error.Message}); remove the file or give another --socket", error);
        }
        throw new ControlException($"control socket {path}: a daemon serves it already; stop it with 'tmemctl --socket {path} stop', or give this one another --socket");
    }

    private static unsafe uint FileType(string path)
    {
        stat status;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
            return lstat(name, &status) < 0 ? 0 : (uint)status.st_mode & TypeMask;
    }

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(int descriptor, int operation);

    private static Socket Bind(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(path));
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(Backlog); // only now can anybody connect: there is no moment with a wider mode
            return socket;
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new ControlException($"control socket {path}: cannot listen there ({error.Message}); run as root or give another --socket", error);
        }
    }
}
