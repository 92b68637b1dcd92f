using System.Net.Sockets;
using System.Text;

namespace Tmem.System.Tests.Support;

/// <summary>One connection to a daemon's socket, for what tmemctl does not do: many at once, or one for several calls.</summary>
internal sealed class Conversation : IDisposable
{
    private readonly Socket _socket =
        new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 60_000 };

    public Conversation(string path)
    {
        try
        {
            _socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sends a request and returns the reply; empty if the worker went away.</summary>
    /// <param name="method">The method.</param>
    /// <param name="parameters">A JSON object.</param>
    public string Ask(string method, string parameters = "{}")
    {
        var line = $$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}","params":{{parameters}}}""" + "\n";
        _socket.Send(Encoding.UTF8.GetBytes(line));
        var buffer = new byte[65536];
        return Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer));
    }

    public void Dispose() => _socket.Dispose();
}
