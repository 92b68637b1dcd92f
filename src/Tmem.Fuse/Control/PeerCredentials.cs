using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Control;

/// <summary>What a peer may ask for.</summary>
internal enum ControlAccess
{
    None,
    /// <summary>Figures, and no change: <see cref="Tmem.Control.Messages.ControlMethod.IsOfFigures"/>.</summary>
    Figures,
    All,
}

/// <summary>
/// The process at the other end of a Unix socket, as the kernel recorded it at connect(2) (struct ucred: pid, uid, gid).
/// </summary>
internal readonly record struct PeerCredentials(int Pid, uint Uid, uint Gid)
{
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;
    private const int SoPeerGroups = 59;

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

    /// <summary>Whether the process had a group among its supplementary ones then.</summary>
    public static bool IsMember(Socket socket, uint group)
    {
        // Usually a handful; the kernel allows 65536.
        for (var room = 1024; room <= 65536; room *= 8)
        {
            var groups = new byte[room * sizeof(uint)];
            try
            {
                var length = socket.GetRawSocketOption(SolSocket, SoPeerGroups, groups);
                return MemoryMarshal.Cast<byte, uint>(groups.AsSpan(0, length)).Contains(group);
            }
            catch (SocketException)
            {
                // Too little room; or a kernel that does not tell (before Linux 4.13).
            }
        }
        return false;
    }

    /// <summary>
    /// The rule: root, or the user that the daemon runs as, may do everything, and a member of the socket's group, if it has one,
    /// may ask for figures. The socket's mode enforces who may connect; this holds even if the mode is changed.
    /// </summary>
    /// <param name="daemonUid">The user that the daemon runs as.</param>
    /// <param name="group">The socket's group; null for none.</param>
    /// <param name="isMember">Whether a group is among the process's supplementary ones.</param>
    public ControlAccess Access(uint daemonUid, uint? group, Func<uint, bool> isMember)
    {
        if (Uid == 0 || Uid == daemonUid) return ControlAccess.All;
        return group is { } readers && (Gid == readers || isMember(readers)) ? ControlAccess.Figures : ControlAccess.None;
    }
}
