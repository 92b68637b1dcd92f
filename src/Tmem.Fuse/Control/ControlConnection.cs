using System.Buffers;
using System.Net.Sockets;
using Tmem.Fuse.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>One peer: reads a line, writes its reply, until the peer closes.</summary>
internal sealed class ControlConnection(Socket socket, RpcEndpoint endpoint) : IDisposable
{
    private const int KeptReply = 64 * 1024;
    private const int MostDrained = 1 << 20;

    private ArrayBufferWriter<byte> _output = new(4096);

    /// <summary>Serves until the peer closes, is silent for too long, or sends a line that is too long.</summary>
    public void Run()
    {
        var lines = new LineReader(socket, ControlProtocol.MaximumRequest);
        while (true)
        {
            switch (lines.Next(out var line))
            {
                case LineStatus.End:
                    return;
                case LineStatus.TooLong:
                    // Where the next request begins is unknown, so this conversation ends.
                    RpcEndpoint.TooLong.Write(_output, null);
                    if (Send()) Drain();
                    return;
                case LineStatus.Line:
                    if (line.Length == 0) continue;
                    endpoint.Handle(line, _output);
                    if (!Send()) return;
                    break;
            }
        }
    }

    /// <summary>Sends one error and closes.</summary>
    public void Refuse(RpcAnswer answer)
    {
        using (this)
        {
            answer.Write(_output, null);
            Send();
        }
    }

    /// <summary>Lets the reply under way leave, and no further request in.</summary>
    public void ReadNoMore()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Closed already: that is what was wanted.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => socket.Dispose();

    private bool Send()
    {
        try
        {
            var rest = _output.WrittenSpan;
            while (rest.Length > 0) rest = rest[socket.Send(rest)..];
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
        if (_output.Capacity > KeptReply) _output = new ArrayBufferWriter<byte>(4096);
        else _output.ResetWrittenCount();
        return true;
    }

    /// <summary>Takes what the peer is still sending, within reason: closing on unread bytes would reset the connection under our reply.</summary>
    private void Drain()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
            socket.ReceiveTimeout = 1000;
            Span<byte> junk = stackalloc byte[4096];
            for (var taken = 0; taken < MostDrained;)
            {
                var received = socket.Receive(junk);
                if (received == 0) return;
                taken += received;
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The peer has gone, or keeps us waiting: either way this is the end.
        }
    }
}
