using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Control;

/// <summary>
/// One peer: reads a line, writes its reply, until the peer closes. What a peer asked for that has hung up since is not begun: it
/// has told its caller that it came to nothing, or was killed. A deadline in each request was weighed: the hang-up says the same,
/// for a client that is killed too, and needs no clock.
/// </summary>
internal sealed class ControlConnection(Socket socket, RpcEndpoint endpoint, ControlLimits limits) : IDisposable
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

    /// <summary>Serves until the peer closes, is silent for too long, or sends a line that is too long.</summary>
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
                    // Where the next request begins is unknown, so this conversation ends.
                    RpcEndpoint.TooLong.Write(_output, null);
                    if (Send()) Drain();
                    return;
                case LineStatus.Line:
                    if (line.Length == 0) continue;
                    SetWaits(false);
                    endpoint.Handle(line, () => !HasHungUp(), _output);
                    // Before the reply: who has it in hand is one that is waited for. Giving way, it still gets it.
                    SetWaits(true);
                    if (!Send()) return;
                    break;
            }
        }
    }

    /// <summary>
    /// Since when the peer has been waited for, as a time stamp; null while a request of its is carried out or answered.
    /// </summary>
    public long? WaitsSince
    {
        get { lock (_gate) return _waits && !_evicted ? _waitsSince : null; }
    }

    /// <summary>Whether it gave way and waits for nothing but its thread's end.</summary>
    public bool IsEnding
    {
        get { lock (_gate) return _evicted && _waits; }
    }

    /// <summary>
    /// Ends the conversation for a newcomer; false if a request is being carried out. One that has come whole is still answered.
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

    private void SetWaits(bool waits)
    {
        lock (_gate) (_waits, _waitsSince) = (waits, Stopwatch.GetTimestamp());
    }

    /// <summary>
    /// Whether nobody reads answers any more: the peer closed, or was killed. One that has only ended its sending (shutdown of
    /// that half) still reads.
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
            // In slices, each with what is left of the time: a peer that takes a little now and then keeps no place either.
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
    /// Takes what the peer is still sending, within reason: closing on unread bytes would reset the connection under our reply.
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
            // The peer has gone, or keeps us waiting: either way this is the end.
        }
    }
}
