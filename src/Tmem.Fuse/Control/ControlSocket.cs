using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using static Tmds.Linux.LibC;

namespace Tmem.Fuse.Control;

/// <summary>A listening socket.</summary>
/// <param name="Descriptor">Not inherited by children unasked; the caller closes it.</param>
/// <param name="File">The file that it was bound to. No other file has this identity while it listens.</param>
internal readonly record struct BoundSocket(int Descriptor, FileIdentity File);

/// <summary>
/// Binds the control socket: refuses when a daemon answers there, replaces the file when none does. The whole sequence runs under
/// a lock on the directory, so that of two daemons that start at once one sees the other's live socket instead of unlinking it.
/// No other user can change the directory (<see cref="TrustedPath"/>): another user's socket in this place would receive the
/// daemon's requests.
/// </summary>
internal static class ControlSocket
{
    private const int LongestPath = ControlProtocol.LongestSocketPath;
    private const int Backlog = 16;
    private const ushort OwnerOnly = 0x180; // 0600
    private const ushort GroupToo = 0x1B0; // 0660
    private const uint OthersLook = 1, GroupLooks = 8; // o+x, g+x
    private const string OrAnother = "or give another --socket";
    private const string AndAgain = "and send SIGHUP again";
    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(5);

    /// <summary>Returns a listening socket of mode 0600, or 0660 with a group.</summary>
    /// <param name="path">Where.</param>
    /// <param name="group">The group that may connect too; null for none.</param>
    /// <exception cref="ControlException">A daemon serves there, something else is in the way, or the directory cannot be
    /// written.</exception>
    public static BoundSocket Listen(string path, uint? group = null) =>
        Prepare(path, OrAnother, null, folder => Bind(folder, path, group, OrAnother));

    /// <summary>Refuses as <see cref="Listen"/> would, before any other step of the start.</summary>
    /// <exception cref="ControlException">As for <see cref="Listen"/>.</exception>
    public static void EnsureFree(string path) => Prepare<BoundSocket?>(path, OrAnother, null, _ => null);

    /// <summary>
    /// For a serving daemon: a new socket if its own has lost its name; else null.
    /// </summary>
    /// <param name="path">Where.</param>
    /// <param name="own">The file of its own socket.</param>
    /// <param name="group">As for <see cref="Listen"/>.</param>
    /// <param name="isForbidden">File systems not to enter: see <see cref="PathWish.IsForbidden"/>.</param>
    /// <exception cref="ControlException">As for <see cref="Listen"/>; the file there stays.</exception>
    public static BoundSocket? Renew(string path, FileIdentity own, uint? group, Func<uint, uint, bool> isForbidden) =>
        Prepare<BoundSocket?>(path, AndAgain, isForbidden, folder => Bind(folder, path, group, AndAgain), own);

    private static T? Prepare<T>(
        string path, string orElse, Func<uint, uint, bool>? isForbidden, Func<int, T> then, FileIdentity? own = null)
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
        var wish = new PathWish { Flags = O_CREAT, IsDirectory = true, OnlyOurs = true, IsForbidden = isForbidden };
        var opened = TrustedPath.Open(directory, wish);
        if (opened.Problem is { } problem)
            throw new ControlException($"control socket {path}: its directory cannot be used ({problem}); "
                + (own is null ? $"run as root {orElse}" : $"set that right {orElse}"));
        try
        {
            Lock(opened.Descriptor, directory, orElse);
            if (own is { } file && IsThere(opened.Descriptor, name, file)) return default;
            RemoveStale(opened.Descriptor, name, path, orElse);
            return then(opened.Descriptor);
        }
        finally
        {
            _ = close(opened.Descriptor);
        }
    }

    /// <summary>Removes the daemon's own socket. Any other file of that name stays.</summary>
    public static void Remove(string path, FileIdentity own)
    {
        var opened = TrustedPath.Open(Path.GetDirectoryName(path) ?? "/", new PathWish { IsDirectory = true, OnlyOurs = true });
        if (!opened.IsOpen) return;
        if (IsThere(opened.Descriptor, Path.GetFileName(path), own)) Unlink(opened.Descriptor, Path.GetFileName(path));
        _ = close(opened.Descriptor);
    }

    /// <summary>A process that may read the directory may lock it, and keep the lock.</summary>
    private static void Lock(int descriptor, string directory, string orElse)
    {
        for (var until = Environment.TickCount64 + (long)s_lockPatience.TotalMilliseconds;
            Libc.flock(descriptor, Libc.LOCK_EX | Libc.LOCK_NB) < 0; Thread.Sleep(5))
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != EINTR && error != EAGAIN)
                throw new ControlException(
                    $"control socket directory {directory}: cannot lock it; give a --socket on a local file system");
            if (Environment.TickCount64 > until)
                throw new ControlException(
                    $"control socket directory {directory}: another process has had it locked for "
                    + $"{s_lockPatience.TotalSeconds:0} s (see /proc/locks); end that one, {orElse}");
        }
    }

    private static void RemoveStale(int directory, string name, string path, string orElse)
    {
        if (!TryLook(directory, name, out var there)) return;
        if (!there.IsSocket)
            throw new ControlException(
                $"control socket {path}: something that is not a socket has this name; remove it {orElse}");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
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
                $"control socket {path}: it is another user's, and his daemon may serve it; run as root, {orElse}", error);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.WouldBlock)
        {
            // The queue of connections is full: a process listens.
        }
        catch (SocketException error)
        {
            // Not removed: a daemon whose socket has lost its name is unreachable.
            throw new ControlException(
                $"control socket {path}: cannot tell whether a daemon serves it ({error.Message}); see what "
                + $"'{new ControlCommand(path).Line("status")}' says, {orElse}", error);
        }
        throw new ControlException(
            $"control socket {path}: a daemon serves it already; stop it with '{new ControlCommand(path).Line("stop")}', "
            + orElse);
    }

    private static bool TryLook(int directory, string name, out FileStatus found) =>
        FileStatus.Of(directory, name, FileStatus.NoFollow, FileStatus.Basic, out found) == 0;

    /// <summary>Whether a name leads to the daemon's own socket; to any socket, if its own is not known.</summary>
    private static bool IsThere(int directory, string name, FileIdentity own) =>
        TryLook(directory, name, out var found) && found.IsSocket && (own == default || found.Identity == own);

    private static unsafe void Unlink(int directory, string name)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(name + '\0')) _ = unlinkat(directory, bytes, 0);
    }

    /// <summary>
    /// The file gets its group and mode before anybody can connect. Without CAP_CHOWN, a process may give its file to a group
    /// that it is in: see ProcessRights.Join.
    /// </summary>
    private static BoundSocket Bind(int directory, string path, uint? group, string orElse)
    {
        if (group is { } members) RequireEntry(directory, path, members, orElse);
        var bound = Bind(directory, path, orElse);
        var name = Path.GetFileName(path);
        if ((group is null || Give(directory, name, group.Value)) && listen(bound.Descriptor, Backlog) == 0) return bound;
        var error = Libc.LastError;
        _ = close(bound.Descriptor);
        Unlink(directory, name);
        throw new ControlException($"control socket {path}: it cannot be given to group {group} ({Libc.Describe(error)}); run as "
            + $"root {orElse}");
    }

    private static bool Give(int directory, string name, uint group)
    {
        const uint same = uint.MaxValue;
        return Libc.fchownat(directory, name, same, group, FileStatus.NoFollow) == 0
            && Libc.fchmodat(directory, name, GroupToo, 0) == 0;
    }

    private static void RequireEntry(int directory, string path, uint group, string orElse)
    {
        if (FileStatus.Of(directory, "", FileStatus.OfDescriptor, FileStatus.Basic, out var folder) != 0
            || (folder.Mode & OthersLook) != 0 || ((folder.Mode & GroupLooks) != 0 && folder.Group == group)) return;
        var name = Path.GetDirectoryName(path) ?? "/";
        throw new ControlException($"control socket {path}: group {group} cannot enter {name}; let it, with "
            + $"'chmod o+x {ShellWord.Of(name)}', {orElse}");
    }

    private static unsafe BoundSocket Bind(int directory, string path, string orElse)
    {
        var descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        var address = new sockaddr_un { sun_family = AF_UNIX };
        Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, LongestPath));
        // The file gets the socket's own mode: changing it afterwards would look the name up once more.
        if (descriptor >= 0 && fchmod(descriptor, OwnerOnly) == 0
            && bind(descriptor, (sockaddr*)&address, sizeof(sockaddr_un)) == 0
            && TryLook(directory, Path.GetFileName(path), out var file))
            return new BoundSocket(descriptor, file.Identity);
        var error = Libc.LastError;
        if (descriptor >= 0) _ = close(descriptor);
        throw new ControlException(
            $"control socket {path}: cannot listen there ({Libc.Describe(error)}); run as root {orElse}");
    }
}
