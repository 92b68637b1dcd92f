using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Control;

/// <summary>The outcome of a call: exactly one of value, error and <paramref name="Unreachable"/> is set.</summary>
/// <param name="Value">The result.</param>
/// <param name="Error">The daemon's refusal.</param>
/// <param name="Unreachable">Why there is no answer: a clause.</param>
/// <param name="MayBeDone">With it: whether the daemon may have begun what was asked for, so that it may yet be done. Never for
/// what changes nothing.</param>
/// <param name="Remedy">With it: what to do; may be empty.</param>
/// <param name="NobodyListens">With it: there is no daemon, rather than one that does not answer.</param>
internal sealed record Reply<T>(T? Value, RpcError? Error, string? Unreachable, bool MayBeDone = false, string Remedy = "",
    bool NobodyListens = false)
    where T : class
{
    /// <summary>Why there is no value, and behind a semicolon the daemon's remedy; null if there is one.</summary>
    public string? Problem => Value is not null ? null
        : Error is not { } refused ? Unreachable
        : refused.Data is { Remedy: { Length: > 0 } remedy } ? $"{refused.Message}; {remedy}" : refused.Message;
}

/// <summary>A client of the daemon's socket. Each call is a connection of its own: tmemctl makes a handful and ends.</summary>
internal sealed partial class ControlClient(string socketPath)
{
    /// <summary>The time limit of an ordinary call: a daemon that takes longer counts as not answering.</summary>
    public static TimeSpan Usual { get; } = TimeSpan.FromSeconds(30);

    /// <summary>For calls that may take long in a healthy daemon: a large pool destroyed, a large region made durable.</summary>
    public static TimeSpan Long { get; } = TimeSpan.FromMinutes(10);

    /// <summary>One time limit for all calls; null: each call has its own.</summary>
    public TimeSpan? Patience { get; init; }

    /// <summary>Where the package has the daemon.</summary>
    private const string Packaged = "/usr/sbin/tmemd";

    /// <summary>Stays so when this process changes its working directory.</summary>
    private readonly string _address = Path.GetFullPath(socketPath);

    /// <summary>Where the daemon is looked for.</summary>
    public string SocketPath { get; } = socketPath;

    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Command { get; } = new(socketPath);

    /// <summary>Until the next try where one worker gives way to another, which takes some tens of milliseconds.</summary>
    private const int Pause = 20;

    /// <summary>Tries that end before the request is sent: a worker that ends may close a connection unread.</summary>
    private const int MostUnread = 10;

    /// <summary>
    /// Asks again, within the time limit, what a worker did not begin because it gives way to another one: that does no harm,
    /// even if it changes something, and whoever asks is to notice of an upgrade what it notices of a worker's death, a wait.
    /// </summary>
    private Reply<T> Call<T>(string method, JsonElement? parameters, TimeSpan usual) where T : class
    {
        var patience = Patience ?? usual;
        var unread = MostUnread;
        for (var started = Stopwatch.GetTimestamp(); ; Thread.Sleep(Pause))
        {
            var left = patience <= TimeSpan.Zero ? patience : patience - Stopwatch.GetElapsedTime(started);
            var reply = CallOnce<T>(method, parameters, left, patience, out var isUnread);
            if (reply.Error is not { Code: ControlErrorCode.NotBegun } && !(isUnread && --unread > 0)) return reply;
            // A try with little time left could be sent and not answered, which is worse than a refusal.
            var next = Stopwatch.GetElapsedTime(started) + TimeSpan.FromMilliseconds(Pause);
            if (patience > TimeSpan.Zero && next > 3 * patience / 4) return reply;
        }
    }

    private Reply<T> CallOnce<T>(string method, JsonElement? parameters, TimeSpan left, TimeSpan patience, out bool isUnread)
        where T : class
    {
        var sent = isUnread = false;
        try
        {
            // 0 is no limit.
            var limit = (int)Math.Max(left.TotalMilliseconds, patience > TimeSpan.Zero ? 1 : 0);
            var line = Exchange(new RpcRequest("2.0", 1, method, parameters), limit, ref sent);
            using var reply = JsonDocument.Parse(line);
            if (reply.RootElement.ValueKind != JsonValueKind.Object) return Foreign<T>();
            if (Member<RpcError>(reply, "error") is { } error) return new Reply<T>(null, error, null);
            return Member<T>(reply, "result") is { } value ? new Reply<T>(value, null, null) : Foreign<T>();
        }
        catch (JsonException)
        {
            return Foreign<T>();
        }
        catch (SocketException error) when (sent && ControlMethod.Changes(method))
        {
            return Unknown<T>(method, error.SocketErrorCode, patience);
        }
        catch (SocketException error)
        {
            isUnread = error.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown;
            var (why, remedy) = Explain(error.SocketErrorCode, error.Message);
            return Nobody<T>(why, remedy) with
            {
                NobodyListens = error.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable,
            };
        }
        catch (Exception error) when (error is ArgumentException or IOException)
        {
            return Nobody<T>(error.Message);
        }
    }

    private static T? Member<T>(JsonDocument reply, string name) where T : class =>
        reply.RootElement.TryGetProperty(name, out var member) ? ReplyJson.Read<T>(member) : null;

    private Reply<T> Nobody<T>(string why, string remedy = "") where T : class =>
        new(null, null, $"no daemon reached on {SocketPath}: {why}", Remedy: remedy);

    private Reply<T> Foreign<T>() where T : class =>
        Nobody<T>("what answers does not speak the management protocol", "is it tmemd, and of this version?");

    /// <summary>
    /// The request was sent and no answer came. The socket is closed by now: a daemon that had not begun the request never will
    /// (ControlConnection); whether one had begun it is unknown here.
    /// </summary>
    private Reply<T> Unknown<T>(string method, SocketError error, TimeSpan patience) where T : class
    {
        var see = method.StartsWith("pool.", StringComparison.Ordinal) ? "pool list" : "status";
        var what = error is SocketError.TimedOut or SocketError.WouldBlock
            ? $"gave no answer within {patience.TotalSeconds:0.#} s"
            : "closed the connection without an answer";
        return new Reply<T>(null, null,
            $"the daemon on {SocketPath} was sent '{method}' and {what}: if it had begun by then, it carries that out, and "
            + "if not, it never will", MayBeDone: true,
            $"see with '{Command.Line(see)}' what came of it, and look at the daemon's log");
    }

    /// <summary>How to start the daemon: only the package's own has a unit, and the usual socket.</summary>
    public static string Start(string socketPath, bool isPackaged) => !isPackaged ? "start tmemd (scripts/up)"
        : socketPath == ControlProtocol.DefaultSocket ? "start tmemd with 'systemctl start tmemd'" : "start tmemd";

    private (string Why, string Remedy) Explain(SocketError code, string message) => code switch
    {
        SocketError.AccessDenied => ("permission denied", "run as root"),
        SocketError.ConnectionRefused => ("the socket is left over and nobody listens",
            $"{Start(SocketPath, File.Exists(Packaged))}, or clean up with '{Command.Line("recover")}'"),
        SocketError.NotSocket => ("that is no socket", "name the one that tmemd listens on with --socket"),
        SocketError.AddressNotAvailable => ("there is no such socket",
            $"{Start(SocketPath, File.Exists(Packaged))}, or name its socket with --socket; one that serves and whose "
            + "socket file was removed makes it again at 'kill -HUP' of its process (pgrep -x tmemd)"),
        SocketError.TimedOut or SocketError.WouldBlock => ("it does not answer", "look at its log"),
        SocketError.ConnectionReset or SocketError.Shutdown => ("it closed the connection", "look at its log"),
        _ => (message, ""),
    };

    private byte[] Exchange(RpcRequest request, int timeout, ref bool sent)
    {
        if (!Path.Exists(_address)) throw new SocketException((int)SocketError.AddressNotAvailable);
        // connect(2) says of a file what it says of a socket that nobody listens on.
        if (FileStatus.Of(0, _address, 0, FileStatus.Basic, out var status) == 0 && !status.IsSocket)
            throw new SocketException((int)SocketError.NotSocket);
        var started = Stopwatch.GetTimestamp();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        {
            ReceiveTimeout = timeout, SendTimeout = timeout,
        };
        socket.Connect(new UnixDomainSocketEndPoint(_address));
        sent = Send(socket, [.. JsonSerializer.SerializeToUtf8Bytes(request, ControlJson.Default.RpcRequest), (byte)'\n']);
        var buffer = new byte[16 * 1024];
        var length = 0;
        while (true)
        {
            // The limit is for the whole answer, not for each piece.
            if (timeout > 0)
                socket.ReceiveTimeout = Math.Max(timeout - (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds, 1);
            var received = socket.Receive(buffer.AsSpan(length));
            if (received == 0) throw new SocketException((int)SocketError.ConnectionReset);
            var newline = buffer.AsSpan(length, received).IndexOf((byte)'\n');
            if (newline >= 0) return buffer[..(length + newline)];
            length += received;
            if (length > ControlProtocol.MaximumReply) throw new JsonException("reply too long");
            if (length == buffer.Length) Array.Resize(ref buffer, 2 * length);
        }
    }

    /// <summary>
    /// Sends all of it. False: the daemon closed before it had read everything, so that only its refusal is left to read.
    /// </summary>
    private static bool Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0) bytes = bytes[socket.Send(bytes)..];
            return true;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.Shutdown or SocketError.ConnectionReset)
        {
            return false;
        }
    }
}
