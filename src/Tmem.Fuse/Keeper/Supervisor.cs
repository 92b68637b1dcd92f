using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The service manager that started the daemon, as far as it named a socket for messages: the protocol of sd_notify(3), which
/// systemd and others speak. Each message is one datagram of lines "NAME=value", at most with one descriptor. Sending never
/// waits: the service manager's own memory may be on the swap device that the daemon serves.
/// </summary>
internal sealed unsafe class Supervisor
{
    private const string SocketVariable = "NOTIFY_SOCKET";
    private const string WatchdogVariable = "WATCHDOG_USEC";
    private const int PathOffset = 2; // of sockaddr_un: the family comes first
    private const int LongestPath = 108;

    private readonly int _socket = -1;
    private readonly byte* _address;
    private readonly uint _addressBytes;

    private Supervisor(int socket, byte* address, uint addressBytes, long watchdogMilliseconds)
    {
        _socket = socket;
        _address = address;
        _addressBytes = addressBytes;
        WatchdogMilliseconds = watchdogMilliseconds;
    }

    private Supervisor() { }

    /// <summary>Whether there is one.</summary>
    public bool Exists => _socket >= 0;

    /// <summary>How long it waits for a sign of life; 0 if it waits for none.</summary>
    public long WatchdogMilliseconds { get; }

    /// <summary>The one that the environment names; one that does not exist if it names none, or one of another kind.</summary>
    public static Supervisor FromEnvironment()
    {
        var name = Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable(SocketVariable) ?? "");
        // An abstract name is written with '@' in the place of its first byte, which is zero.
        if (name.Length is < 2 or > LongestPath - 1 || name[0] is not ((byte)'/' or (byte)'@')) return new Supervisor();
        var socket = NativeProcess.socket(NativeProcess.AF_UNIX, NativeProcess.SOCK_DGRAM | NativeProcess.SOCK_CLOEXEC, 0);
        if (socket < 0) return new Supervisor();
        var address = (byte*)NativeMemory.AllocZeroed(PathOffset + LongestPath);
        *(ushort*)address = NativeProcess.AF_UNIX;
        name.CopyTo(new Span<byte>(address + PathOffset, LongestPath));
        if (name[0] == (byte)'@') address[PathOffset] = 0;
        _ = long.TryParse(Environment.GetEnvironmentVariable(WatchdogVariable), CultureInfo.InvariantCulture, out var watchdog);
        return new Supervisor(socket, address, (uint)(PathOffset + name.Length), Math.Max(0, watchdog / 1000));
    }

    /// <summary>Sends a message. After any error it has not been sent, and can be sent again later.</summary>
    /// <param name="text">Its lines, with a line break between them.</param>
    /// <param name="descriptor">Sent with it; -1 for none.</param>
    public bool TrySend(ReadOnlySpan<byte> text, int descriptor)
    {
        fixed (byte* start = text)
        {
            var part = new IoVector { Start = start, Length = (nuint)text.Length };
            var message = new SocketMessage { Name = _address, NameLength = _addressBytes, Parts = &part, PartCount = 1 };
            return DescriptorPassing.TrySend(_socket, message, descriptor);
        }
    }
}
