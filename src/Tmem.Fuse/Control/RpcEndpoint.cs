using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>
/// A line in, a line out: the part of JSON-RPC 2.0 that needs no socket. Bad input of any kind is an error reply, never an
/// exception.
/// </summary>
internal sealed class RpcEndpoint(ControlMethods methods, ControlGate gate, ControlLog log)
{
    /// <summary>Most characters of an id that is a string.</summary>
    private const int MostOfId = 256;

    private const string OneRequest =
        "send one JSON-RPC 2.0 request object a line, for example {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}";

    private static readonly (string Name, string Twice)[] s_members =
    [
        .. new[] { "jsonrpc", "id", "method", "params" }.Select(name => (name, $"\"{name}\" is given twice")),
    ];

    /// <summary>The reply to a line that exceeds the limit.</summary>
    public static RpcAnswer TooLong { get; } = RpcAnswer.Fail(ControlErrorCode.InvalidRequest,
        $"the request line is longer than {ControlProtocol.MaximumRequest} bytes", "request",
            "send shorter requests; the connection is closed");

    /// <summary>Carries out a request.</summary>
    /// <param name="line">Any bytes.</param>
    /// <param name="peer">Who sent it.</param>
    /// <param name="wanted">Whether the peer still waits for the answer; asked before an irreversible step.</param>
    /// <param name="output">Receives the reply line; nothing for a notification (a request without an id), as the standard
    /// asks.</param>
    public void Handle(ReadOnlyMemory<byte> line, ControlPeer peer, Func<bool> wanted, ArrayBufferWriter<byte> output)
    {
        JsonDocument document;
        try
        {
            if (!Utf8.IsValid(line.Span)) throw new JsonException("not UTF-8");
            document = JsonDocument.Parse(line);
        }
        catch (JsonException error)
        {
            RpcAnswer.Fail(ControlErrorCode.Parse, "the line is not JSON: " + error.Message, "request", OneRequest)
                .Write(output, null);
            return;
        }
        using (document)
            Handle(document.RootElement, peer, wanted, output);
    }

    private void Handle(JsonElement root, ControlPeer peer, Func<bool> wanted, ArrayBufferWriter<byte> output)
    {
        JsonElement? id = null;
        var notification = false;
        RpcAnswer answer;
        try
        {
            var problem = Decode(root, out id, out notification, out var method, out var parameters);
            answer = problem is null
                ? Call(peer, method, parameters, wanted)
                : RpcAnswer.Fail(ControlErrorCode.InvalidRequest, problem, "request", OneRequest);
        }
        // The one place that catches a fault of a method: the daemon outlives it.
        catch (Exception error)
        {
            log.Warning($"control: a request failed inside the daemon: {error}");
            answer = RpcAnswer.Fail(ControlErrorCode.Internal, $"the daemon failed to carry out the request: {error.Message}",
                "tmemd",
                "look at the daemon's log; the daemon is still up");
        }
        if (!notification) answer.Write(output, id);
    }

    private RpcAnswer Call(ControlPeer peer, string method, JsonElement? parameters, Func<bool> wanted)
    {
        var answer = peer.May(method) ? Enter(method, parameters, wanted) : NotHis(peer, method);
        log.Note(peer, method, parameters, in answer);
        return answer;
    }

    private static RpcAnswer NotHis(ControlPeer peer, string method)
    {
        var what = method.Length <= 100 ? method : "method";
        return RpcAnswer.Fail(ControlErrorCode.NotPermitted,
            $"user {peer.Who.Uid} may ask this daemon for figures alone, and '{what}' is for root and the daemon's own user",
            what, "run as root");
    }

    private RpcAnswer Enter(string method, JsonElement? parameters, Func<bool> wanted)
    {
        // What only tells figures is told by whichever worker has the store; and a second upgrade is not to wait for the first.
        var always = ControlMethod.IsOfFigures(method) || method is ControlMethod.Upgrade;
        if (gate.TryEnter(method, always) is { } why)
        {
            return RpcAnswer.Fail(ControlErrorCode.NotBegun, why, method.Length <= 100 ? method : "method",
                "ask again in a moment");
        }
        try
        {
            return methods.Call(method, parameters, wanted);
        }
        finally
        {
            gate.Leave(method);
        }
    }

    /// <summary>Decodes a request. Returns the fault, or null.</summary>
    private static string? Decode(JsonElement root, out JsonElement? id, out bool notification, out string method,
        out JsonElement? parameters)
    {
        id = null;
        notification = false;
        method = "";
        parameters = null;
        if (root.ValueKind == JsonValueKind.Array) return "the line is an array; batches are not served";
        if (root.ValueKind != JsonValueKind.Object) return "the line is JSON but not an object";
        if (GivenTwice(root) is { } twice) return twice;
        if (root.TryGetProperty("id"u8, out var given))
        {
            if (ProblemOfId(given) is { } problem) return problem;
            id = given;
        }
        if (!root.TryGetProperty("jsonrpc"u8, out var version) || version.ValueKind != JsonValueKind.String
            || !version.ValueEquals("2.0"u8)) return "\"jsonrpc\" is not \"2.0\"";
        if (!root.TryGetProperty("method"u8, out var name) || name.ValueKind != JsonValueKind.String || !IsText(name))
            return "\"method\" is missing or not a string";
        method = name.GetString()!;
        if (root.TryGetProperty("params"u8, out var values))
        {
            if (values.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array))
                return "\"params\" is neither object nor array";
            parameters = values;
        }
        notification = id is null;
        return null;
    }

    /// <summary>A request that says one thing twice says nothing: readers differ in which they take.</summary>
    private static string? GivenTwice(JsonElement root)
    {
        foreach (var (name, text) in s_members)
        {
            var times = 0;
            foreach (var member in root.EnumerateObject())
                if (member.NameEquals(name)) times++;
            if (times > 1) return text;
        }
        return null;
    }

    /// <summary>
    /// An id comes back as it was sent, and the sender must know it again: 1e999, or 17 digits and a fraction, are JSON and no
    /// number that programs have.
    /// </summary>
    private static string? ProblemOfId(JsonElement id) => id.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number when !id.TryGetInt64(out _) => "\"id\" is no whole number of 64 bits",
        JsonValueKind.Number => null,
        JsonValueKind.String when !IsText(id) => "\"id\" is not valid text",
        JsonValueKind.String when id.GetString()!.Length > MostOfId => $"\"id\" is longer than {MostOfId} characters",
        JsonValueKind.String => null,
        _ => "\"id\" is neither string, number nor null",
    };

    /// <summary>
    /// JSON escapes can spell half a surrogate pair, which is no text; rejected here, so that no later code has to expect it.
    /// </summary>
    private static bool IsText(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String) return true;
        try
        {
            return element.GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
