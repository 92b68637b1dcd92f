using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tmem.Fuse.Control.Messages;

namespace Tmem.Ctl;

/// <summary>What a call came to: exactly one of the three is set.</summary>
/// <param name="Value">The result.</param>
/// <param name="Error">The daemon's refusal.</param>
/// <param name="Unreachable">Why no daemon answered: a sentence with the remedy.</param>
internal sealed record Reply<T>(T? Value, RpcError? Error, string? Unreachable) where T : class;

/// <summary>The daemon at the other end of its socket. Each call is a connection of its own: tmemctl makes a handful and ends.</summary>
internal sealed class ControlClient(string socketPath)
{
    /// <summary>How long an ordinary call may take before the daemon counts as not answering.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Where the daemon is looked for.</summary>
    public string SocketPath { get; } = socketPath;

    /// <summary>A call without parameters. <paramref name="slow"/>: wait as long as it takes.</summary>
    public Reply<T> Call<T>(string method, JsonTypeInfo<T> type, bool slow = false) where T : class => Call(method, null, type, slow);

    /// <summary>A call with parameters. <paramref name="slow"/>: wait as long as it takes.</summary>
    public Reply<T> Call<TParameters, T>(string method, TParameters parameters, JsonTypeInfo<TParameters> parametersType, JsonTypeInfo<T> type, bool slow = false) where T : class =>
        Call(method, JsonSerializer.SerializeToElement(parameters, parametersType), type, slow);

    private Reply<T> Call<T>(string method, JsonElement? parameters, JsonTypeInfo<T> type, bool slow) where T : class
    {
        try
        {
            var line = Exchange(new RpcRequest("2.0", 1, method, parameters), slow ? 0 : (int)Patience.TotalMilliseconds);
            var reply = JsonSerializer.Deserialize(line, ControlReplyJson.Default.RpcReply);
            if (reply?.Error is { } error) return new Reply<T>(null, error, null);
            if (reply?.Result is { } result && result.Deserialize(type) is { } value) return new Reply<T>(value, null, null);
            return Nobody<T>("what answers does not speak the management protocol; is it tmemd, and of this version?");
        }
        catch (JsonException)
        {
            return Nobody<T>("what answers does not speak the management protocol; is it tmemd, and of this version?");
        }
        catch (SocketException error)
        {
            return Nobody<T>(Explain(error.SocketErrorCode, error.Message));
        }
        catch (Exception error) when (error is ArgumentException or IOException)
        {
            return Nobody<T>(error.Message);
        }
    }

    private Reply<T> Nobody<T>(string why) where T : class => new(null, null, $"no daemon reached on {SocketPath}: {why}");

    private static string Explain(SocketError code, string message) => code switch
    {
        SocketError.AccessDenied => "permission denied; run as root",
        SocketError.ConnectionRefused => "the socket is left over and nobody listens; start tmemd (scripts/up)",
        SocketError.AddressNotAvailable or SocketError.NotSocket => "there is no such socket; start tmemd (scripts/up) or name its socket with --socket",
        SocketError.TimedOut or SocketError.WouldBlock => "it does not answer; look at its log",
        SocketError.ConnectionReset or SocketError.Shutdown => "it closed the connection; look at its log",
        _ => message,
    };

    private byte[] Exchange(RpcRequest request, int timeout)
    {
        if (!Path.Exists(SocketPath)) throw new SocketException((int)SocketError.AddressNotAvailable);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = timeout, SendTimeout = timeout };
        socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
        Send(socket, [.. JsonSerializer.SerializeToUtf8Bytes(request, ControlJson.Default.RpcRequest), (byte)'\n']);
        var buffer = new byte[16 * 1024];
        var length = 0;
        while (true)
        {
            var received = socket.Receive(buffer.AsSpan(length));
            if (received == 0) throw new SocketException((int)SocketError.ConnectionReset);
            var newline = buffer.AsSpan(length, received).IndexOf((byte)'\n');
            if (newline >= 0) return buffer[..(length + newline)];
            length += received;
            if (length > ControlProtocol.MaximumReply) throw new JsonException("reply too long");
            if (length == buffer.Length) Array.Resize(ref buffer, 2 * length);
        }
    }

    private static void Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0) bytes = bytes[socket.Send(bytes)..];
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.Shutdown or SocketError.ConnectionReset)
        {
            // The daemon turned us away before reading: its reason is waiting to be read.
        }
    }
}
