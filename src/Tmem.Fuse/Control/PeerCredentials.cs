using System.Buffers.Binary;
using System.Net.Sockets;

namespace Tmem.Fuse.Control;

/// <summary>
/// The process at the other end of a Unix socket, as the kernel recorded it at connect(2) (struct ucred: pid, uid, gid).
/// </summary>
internal readonly record struct PeerCredentials(int Pid, uint Uid, uint Gid)
{
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;

    /// <exception cref="SocketException">The socket is no Unix socket.</exception>
    public static PeerCredentials Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return new PeerCredentials(
            BinaryPrimitives.ReadInt32LittleEndian(credentials),
            BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(credentials[8..]));
    }

    /// <summary>
    /// The rule: root, or the user that the daemon runs as. The socket's mode enforces the same; this holds even if the mode is
    /// changed.
    /// </summary>
    public bool MayManage(uint daemonUid) => Uid == 0 || Uid == daemonUid;
}
