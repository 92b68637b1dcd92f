using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Control;

/// <summary>
/// One peer: reads a line, writes its reply, until the peer closes. A request whose peer has hung up is not begun: the peer was
/// killed, or has reported a failure to its caller. A deadline in each request was considered: the hang-up tells the same, for a
/// killed client too, and needs no clock.
/// </summary>
internal sealed class ControlConnection(Socket socket, ControlPeer who, RpcEndpoint endpoint, ControlLimits limits) : IDisposable
{
    private const int KeptReply = 64 * 1024;
    private const int MostDrained = 1 << 20;
    private const int SendSlice = 16 * 1024;
    private const short Events = Libc.POLLHUP | Libc.POLLERR;

    private readonly Lock _gate = new();
    private long _waitsSince = Stopwatch.GetTimestamp();
    private bool _waits = true;
    private bool _evicted;

    private ArrayBufferWriter<byte> _output = new(4096);

    /// <summary>Serves until the peer closes, is silent for too long, or sends too long a line.</summary>
    public void Run()
    {
        var lines = new LineReader(socket, ControlProtocol.MaximumRequest, limits.Idle, limits.Line);
        while (true)
        {
            var status = lines.Next(out var line);
            if (HasHungUp()) return;
            switch (status)
            {
                case LineStatus.End:
                    return;
                case LineStatus.TooLong:
                    // Where the next request begins is unknown, so the conversation ends here.
                    RpcEndpoint.TooLong.Write(_output, null);
                    if (Send()) Drain();
                    return;
                case LineStatus.Line:
                    if (line.Length == 0) continue;
                    SetWaits(false);
                    endpoint.Handle(line, who, () => !HasHungUp(), _output);
                    // Before the reply: a peer that has received it counts as waiting. If evicted, it still gets it.
                    SetWaits(true);
                    if (!Send()) return;
                    break;
            }
        }
    }

    /// <summary>When the wait for the peer began, as a time stamp; null while a request is carried out or answered.</summary>
    public long? WaitsSince
    {
        get { lock (_gate) return _waits && !_evicted ? _waitsSince : null; }
    }

    /// <summary>Whether it was evicted and only waits for its thread to end.</summary>
    public bool IsEnding
    {
        get { lock (_gate) return _evicted && _waits; }
    }

    /// <summary>
    /// Ends the conversation for a new peer; false if a request is being carried out. A request that has been received whole is
    /// still answered.
    /// </summary>
    public bool TryEvict()
    {
        lock (_gate)
        {
            if (!_waits || _evicted) return false;
            _evicted = true;
        }
        ReadNoMore();
        return true;
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

    /// <summary>Lets the reply under way leave, and reads no further request.</summary>
    public void ReadNoMore()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Closed already, as intended.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => socket.Dispose();

    private void SetWaits(bool waits)
    {
        lock (_gate) (_waits, _waitsSince) = (waits, Stopwatch.GetTimestamp());
    }

    /// <summary>
    /// Whether the peer no longer reads: it closed, or was killed. A peer that has only shut down its sending side still reads.
    /// </summary>
    private unsafe bool HasHungUp()
    {
        var poll = new PollDescriptor { Descriptor = (int)socket.Handle };
        return Libc.poll(&poll, 1, 0) > 0 && (poll.Returned & Events) != 0;
    }

    private bool Send()
    {
        try
        {
            var began = Stopwatch.GetTimestamp();
            var rest = _output.WrittenSpan;
            // In slices, each with the rest of the time: a peer that takes a little now and then keeps no place either.
            while (rest.Length > 0)
            {
                var left = limits.Send - Stopwatch.GetElapsedTime(began);
                if (left <= TimeSpan.Zero) return false;
                socket.SendTimeout = Math.Max((int)left.TotalMilliseconds, 1);
                rest = rest[socket.Send(rest[..Math.Min(rest.Length, SendSlice)])..];
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
        if (_output.Capacity > KeptReply) _output = new ArrayBufferWriter<byte>(4096);
        else _output.ResetWrittenCount();
        return true;
    }

    /// <summary>
    /// Reads what the peer is still sending, within bounds: closing on unread bytes would reset the connection under our reply.
    /// </summary>
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
            // The peer is gone, or too slow: stop either way.
        }
    }
}
