using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A client that sends exactly the bytes it is given.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
    {
        ReceiveTimeout = 20_000, SendTimeout = 20_000,
    };
    private readonly List<byte> _unread = [];

    public Peer(string path) => _socket.Connect(new UnixDomainSocketEndPoint(path));

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[_socket.Send(bytes)..];
    }

    public void Send(string text) => Send(Encoding.UTF8.GetBytes(text));

    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>The next reply; null when the server closed.</summary>
    public JsonObject? Receive()
    {
        var chunk = new byte[4096];
        int newline;
        while ((newline = _unread.IndexOf((byte)'\n')) < 0)
        {
            var received = _socket.Receive(chunk);
            if (received == 0) return null;
            _unread.AddRange(chunk.AsSpan(0, received));
        }
        var line = Encoding.UTF8.GetString([.. _unread.Take(newline)]);
        _unread.RemoveRange(0, newline + 1);
        return JsonNode.Parse(line)!.AsObject();
    }

    public JsonObject Ask(string line)
    {
        Send(line + "\n");
        return Receive() ?? throw new InvalidOperationException("the server closed the connection");
    }

    public JsonObject Call(string method, string? parameters = null) =>
        Ask($$"""{"jsonrpc":"2.0","id":7,"method":"{{method}}"{{(parameters is null ? "" : ",\"params\":" + parameters)}}}""");

    public void Dispose() => _socket.Dispose();
}

internal static class Replies
{
    public static int Code(this JsonObject reply) => reply["error"]!["code"]!.GetValue<int>();
    public static string Message(this JsonObject reply) => reply["error"]!["message"]!.GetValue<string>();
}
