using System.Runtime.InteropServices;

namespace Tmem.Fuse.Native;

/// <summary>Messages over a Unix socket, each with one descriptor at most (SCM_RIGHTS of unix(7)). Neither call waits.</summary>
internal static unsafe class DescriptorPassing
{
    private const int SendFlags = NativeProcess.MSG_NOSIGNAL | NativeProcess.MSG_DONTWAIT;
    private const int ReceiveFlags = NativeProcess.MSG_DONTWAIT | NativeProcess.MSG_CMSG_CLOEXEC;

    /// <summary>Sends a message. After any error it has not been sent, and can be sent again later.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="message">Its parts, and the address for a socket without a peer.</param>
    /// <param name="descriptor">The peer gets a copy of it; -1 for none.</param>
    public static bool TrySend(int socket, SocketMessage message, int descriptor)
    {
        var rights = new DescriptorMessage
        {
            Length = (nuint)(sizeof(DescriptorMessage) - sizeof(int)),
            Level = NativeProcess.SOL_SOCKET,
            Type = NativeProcess.SCM_RIGHTS,
            Descriptor = descriptor,
        };
        if (descriptor >= 0)
        {
            message.Control = &rights;
            message.ControlLength = (nuint)sizeof(DescriptorMessage);
        }
        return NativeProcess.sendmsg(socket, &message, SendFlags) >= 0;
    }

    /// <summary>Receives a message into its parts; EAGAIN if there is none.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="message">Room for its parts.</param>
    /// <param name="length">Its length; 0 also when the peer has closed its end.</param>
    /// <param name="descriptor">The descriptor that came with it, closed on exec; -1 for none.</param>
    public static Errno TryReceive(int socket, SocketMessage message, out nint length, out int descriptor)
    {
        DescriptorMessage rights = default;
        descriptor = -1;
        message.Control = &rights;
        Errno error;
        do
        {
            message.ControlLength = (nuint)sizeof(DescriptorMessage);
            length = NativeProcess.recvmsg(socket, &message, ReceiveFlags);
            error = length >= 0 ? Errno.Ok : Libc.LastError;
        }
        while (error == Errno.EINTR);
        if (length > 0 && message.ControlLength > 0
            && rights is { Level: NativeProcess.SOL_SOCKET, Type: NativeProcess.SCM_RIGHTS })
            descriptor = rights.Descriptor;
        return error;
    }
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public void* Start;
    public nuint Length;
}

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SocketMessage
{
    public void* Name;
    public uint NameLength;
    public IoVector* Parts;
    public nuint PartCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct cmsghdr with one descriptor behind it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DescriptorMessage
{
    public nuint Length;
    public int Level;
    public int Type;
    public int Descriptor;
    public int Padding;
}
