using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tmem.Ctl.Metrics;

/// <summary>Limits that guard the server; the defaults are the command's, tests use shorter times.</summary>
/// <param name="Clients">Clients at once; a further one is answered that there are too many.</param>
/// <param name="Time">A request must be there within this, and its answer be taken within this once it is made.</param>
internal sealed record MetricServerLimits(int Clients = 8, int Time = 10_000);

/// <summary>
/// Serves <c>GET /metrics</c> over HTTP/1.1, a request a connection. HttpListener was considered: on Linux it has no limit on
/// clients and no timeouts, and a program of a socket alone grows from 1.2 to 5.4 MiB with it. A request is read to its empty
/// line, and its headers are of no interest.
/// </summary>
internal sealed class MetricServer : IDisposable
{
    private const int LongestRequest = 8192;
    private const int Backlog = 16;

    private readonly Socket _listener;
    private readonly Func<string> _metrics;
    private readonly MetricServerLimits _limits;
    private readonly Lock _collecting = new();
    private Lazy<string>? _collection;
    private int _clients;

    private MetricServer(Socket listener, Func<string> metrics, MetricServerLimits limits) =>
        (_listener, _metrics, _limits) = (listener, metrics, limits);

    /// <summary>Where it listens.</summary>
    public IPEndPoint Place => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>Listens; null with the reason if that cannot be.</summary>
    /// <param name="place">Where.</param>
    /// <param name="metrics">The text, of now; called by one thread at a time.</param>
    /// <param name="limits">Limits.</param>
    /// <param name="problem">Why not: a clause.</param>
    public static MetricServer? TryListen(IPEndPoint place, Func<string> metrics, MetricServerLimits limits, out string problem)
    {
        var listener = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            problem = "";
            if (place.Address.Equals(IPAddress.IPv6Any)) listener.DualMode = true;
            listener.Bind(place);
            listener.Listen(Backlog);
            return new MetricServer(listener, metrics, limits);
        }
        catch (SocketException error)
        {
            problem = error.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another process listens there",
                SocketError.AddressNotAvailable => "this machine has no such address",
                SocketError.AccessDenied => "ports below 1024 are root's",
                _ => error.Message,
            };
            listener.Dispose();
            return null;
        }
    }

    /// <summary>Serves until disposed.</summary>
    public void Run()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = _listener.Accept();
            }
            catch (Exception error) when (error is ObjectDisposedException
                || error is SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.Interrupted
                    or SocketError.InvalidArgument })
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors, or the client is gone: the next may be served.
                Thread.Sleep(100);
                continue;
            }
            if (Interlocked.Increment(ref _clients) <= _limits.Clients)
                new Thread(() => Serve(client, Receive)) { IsBackground = true }.Start();
            // On this thread: so short an answer to a new connection never waits.
            else Serve(client, (_, _) => "");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    /// <param name="client">The client; it is closed.</param>
    /// <param name="receive">Reads the request: "" for one that is not read, null for one that is not answered.</param>
    private void Serve(Socket client, Func<Socket, long, string?> receive)
    {
        using (client)
        {
            try
            {
                if (receive(client, Until()) is { } request)
                {
                    var answer = Answer(request);
                    Send(client, answer, Until());
                }
                client.Shutdown(SocketShutdown.Both);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // The client is gone, or too slow.
            }
            finally
            {
                Interlocked.Decrement(ref _clients);
            }
        }
    }

    private byte[] Answer(string request)
    {
        if (request.Length == 0) return Response("503 Service Unavailable", "too many clients at once\n");
        // "GET /metrics HTTP/1.1"
        if (request.Split('\n')[0].TrimEnd('\r').Split(' ') is not [var method, var target, var version]
            || !version.StartsWith("HTTP/1.", StringComparison.Ordinal))
            return Response("400 Bad Request", "not a request of HTTP/1\n");
        var path = target.Split('?')[0];
        if (path is not ("/" or "/metrics")) return Response("404 Not Found", "see /metrics\n");
        if (method is not ("GET" or "HEAD")) return Response("405 Method Not Allowed", "GET it\n", "Allow: GET, HEAD\r\n");
        if (path == "/") return Response("200 OK", "tmem: see /metrics\n", isHead: method == "HEAD");
        return Response("200 OK", Collect(), isHead: method == "HEAD", type: PrometheusText.ContentType);
    }

    /// <summary>
    /// The text of now. Who asks while a collection is under way shares it: at a daemon that hangs, one behind the other would
    /// wait longer each.
    /// </summary>
    private string Collect()
    {
        Lazy<string> collection;
        lock (_collecting) collection = _collection ??= new(_metrics);
        try
        {
            return collection.Value;
        }
        finally
        {
            lock (_collecting)
                if (_collection == collection) _collection = null;
        }
    }

    private long Until() => Environment.TickCount64 + _limits.Time;

    private static byte[] Response(string status, string body, string headers = "", bool isHead = false,
        string type = "text/plain; charset=utf-8")
    {
        var head = $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n"
            + $"{headers}Connection: close\r\n\r\n";
        return Encoding.UTF8.GetBytes(isHead ? head : head + body);
    }

    /// <summary>A request's head; null if the client leaves, is too slow, or sends too much.</summary>
    private static string? Receive(Socket client, long until)
    {
        var bytes = new byte[LongestRequest];
        for (var length = 0; length < bytes.Length;)
        {
            if (Left(until) is not { } left) return null;
            client.ReceiveTimeout = left;
            var received = client.Receive(bytes.AsSpan(length));
            if (received == 0) return null;
            length += received;
            var text = Encoding.Latin1.GetString(bytes, 0, length);
            if (text.Contains("\r\n\r\n", StringComparison.Ordinal) || text.Contains("\n\n", StringComparison.Ordinal))
                return text;
        }
        return null;
    }

    private static void Send(Socket client, ReadOnlySpan<byte> bytes, long until)
    {
        const int slice = 16 * 1024;
        while (bytes.Length > 0 && Left(until) is { } left)
        {
            client.SendTimeout = left;
            bytes = bytes[client.Send(bytes[..Math.Min(bytes.Length, slice)])..];
        }
    }

    private static int? Left(long until) =>
        until - Environment.TickCount64 is > 0 and var left ? (int)left : null;
}
