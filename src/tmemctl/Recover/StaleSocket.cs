using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Recover;

/// <summary>
/// A control socket that its daemon left behind. It is taken away only if it is a socket, of root's or this user's, in a folder
/// that nobody else can change, and nobody listens on it; all that under the lock that a daemon takes which is about to listen
/// there (ControlSocket), and from one descriptor of the folder.
/// </summary>
internal static unsafe partial class StaleSocket
{
    private const int AtSymlinkNoFollow = 0x100;
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const ushort TypeMask = 0xF000;
    private const ushort TypeSocket = 0xC000;
    private const uint TypeAndOwner = 0x1 | 0x8; // STATX_TYPE, STATX_UID

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
            if (Flock(opened.Descriptor, LockExclusive | LockNonBlocking) != 0)
            {
                left = $"the socket {path} was not looked at: a daemon is starting there; run "
                    + $"'{new ControlCommand(path).Line("recover")}' again";
                return false;
            }
            return Remove(opened.Descriptor, name, path, out left);
        }
        finally
        {
            _ = NativeClose(opened.Descriptor);
        }
    }

    private static bool Remove(int folder, string name, string path, out string? left)
    {
        left = null;
        var status = stackalloc byte[256]; // struct statx
        if (Statx(folder, name, AtSymlinkNoFollow, TypeAndOwner, status) != 0) return false;
        var owner = *(uint*)(status + 20);
        if ((*(ushort*)(status + 28) & TypeMask) != TypeSocket)
            left = $"{path} is no socket: not touched; name the daemon's socket with --socket";
        else if (owner != 0 && owner != EffectiveUser()) left = $"the socket {path} belongs to user {owner}: not touched";
        else if (NobodyListens($"/proc/self/fd/{folder}/{name}")) return UnlinkAt(folder, name, 0) == 0;
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
            // Anything else, a full queue among it, is a sign of life.
            return error.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (ArgumentException)
        {
            // Too long to be a socket's: no daemon can have listened there.
        }
        return false;
    }

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(int descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int folder, string name, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "unlinkat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int UnlinkAt(int folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int NativeClose(int descriptor);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
