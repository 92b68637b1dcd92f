using System.Diagnostics;
using System.Net.Sockets;

namespace Tmem.Fuse.Control;

/// <summary>The outcome of reading a line.</summary>
internal enum LineStatus
{
    /// <summary>A whole line.</summary>
    Line,
    /// <summary>The peer closed, was silent for too long, or stopped within a line: the conversation is over.</summary>
    End,
    /// <summary>More bytes than a line may have, and still no newline.</summary>
    TooLong,
}

/// <summary>
/// Splits a socket's bytes into lines of bounded length that arrive within a bounded time: a peer that sends a byte now and then
/// would otherwise keep its place for ever. The buffer starts small and never grows beyond one line.
/// </summary>
/// <param name="socket">The peer.</param>
/// <param name="maximum">Most bytes of a line.</param>
/// <param name="idle">Most time until a line begins.</param>
/// <param name="whole">Most time from a line's first byte to its last.</param>
internal sealed class LineReader(Socket socket, int maximum, TimeSpan idle, TimeSpan whole)
{
    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    /// <summary>Reads up to the next newline.</summary>
    /// <param name="line">The line without newline and carriage return; valid until the next call.</param>
    public LineStatus Next(out ReadOnlyMemory<byte> line)
    {
        line = default;
        var searched = 0;
        var began = Stopwatch.GetTimestamp();
        var partial = _end > _start;
        while (true)
        {
            var at = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (at >= 0)
            {
                var length = searched + at;
                if (length > maximum) return LineStatus.TooLong;
                var text = _buffer.AsMemory(_start, length);
                _start += length + 1;
                line = text.Length > 0 && text.Span[^1] == (byte)'\r' ? text[..^1] : text;
                return LineStatus.Line;
            }
            searched = _end - _start;
            if (searched > maximum) return LineStatus.TooLong;
            MakeRoom();
            if (!partial && searched > 0) (partial, began) = (true, Stopwatch.GetTimestamp());
            if (!Receive((partial ? whole : idle) - Stopwatch.GetElapsedTime(began))) return LineStatus.End;
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, maximum + 1));
    }

    private bool Receive(TimeSpan patience)
    {
        if (patience <= TimeSpan.Zero) return false;
        try
        {
            // At least a millisecond: 0 means for ever.
            socket.ReceiveTimeout = Math.Max((int)patience.TotalMilliseconds, 1);
            var received = socket.Receive(_buffer.AsSpan(_end));
            _end += received;
            return received > 0;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}
