using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>The outcome of a method: a value with its serialiser, or an error.</summary>
internal readonly struct RpcAnswer
{
    private readonly object? _value;
    private readonly JsonTypeInfo? _type;

    private RpcAnswer(object? value, JsonTypeInfo? type, RpcError? error)
    {
        _value = value;
        _type = type;
        Error = error;
    }

    /// <summary>The error, or null.</summary>
    public RpcError? Error { get; }

    /// <summary>A result.</summary>
    public static RpcAnswer Of<T>(T value, JsonTypeInfo<T> type) where T : class => new(value, type, null);

    /// <summary>An error: a sentence, its subject, the remedy.</summary>
    public static RpcAnswer Fail(int code, string message, string subject, string remedy) =>
        new(null, null, new RpcError(code, message, new RpcErrorData(subject, remedy)));

    /// <summary>The answer to a caller that is gone: at most for the log of a proxy.</summary>
    public static RpcAnswer HungUp(string what, string subject) =>
        Fail(ControlErrorCode.Busy, $"{what}: the caller hung up, so nothing was done", subject, "ask again");

    /// <summary>Writes the reply line, newline included.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The request's id; null when it could not be read.</param>
    public void Write(ArrayBufferWriter<byte> output, JsonElement? id)
    {
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WritePropertyName("id"u8);
            if (id is { } known) known.WriteTo(json);
            else json.WriteNullValue();
            if (Error is not null)
            {
                json.WritePropertyName("error"u8);
                JsonSerializer.Serialize(json, Error, ControlJson.Default.RpcError);
            }
            else
            {
                json.WritePropertyName("result"u8);
                JsonSerializer.Serialize(json, _value, _type!);
            }
            json.WriteEndObject();
        }
        output.Write("\n"u8);
    }
}
