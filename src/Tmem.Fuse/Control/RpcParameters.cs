using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>Reads the "params" of a request: an object whose members are all known and of the right type.</summary>
internal static class RpcParameters
{
    /// <summary>For a method without parameters: the error if any were given, else null.</summary>
    public static RpcAnswer? None(string method, JsonElement? parameters)
    {
        var given = parameters switch
        {
            { ValueKind: JsonValueKind.Object } values => values.EnumerateObject().Any(),
            { ValueKind: JsonValueKind.Array } values => values.GetArrayLength() > 0,
            _ => false,
        };
        return given ? Invalid(method, $"{method} takes no parameters", "leave \"params\" out") : null;
    }

    /// <summary>Reads the parameters and passes them to <paramref name="call"/>.</summary>
    public static RpcAnswer Read<T>(string method, JsonElement? parameters, JsonTypeInfo<T> type, Func<T, RpcAnswer> call)
        where T : class
    {
        if (parameters is not { ValueKind: JsonValueKind.Object } values)
            return Invalid(method, $"{method} needs parameters by name", "send \"params\" as an object");
        T? read;
        try
        {
            read = values.Deserialize(type);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            var path = (error as JsonException)?.Path;
            return Invalid(method, $"{method}: parameter {path ?? "text"} is unknown, given twice or of the wrong type",
                "look at the parameters of " + method);
        }
        return read is null ? Invalid(method, $"{method} needs parameters", "send \"params\" as an object") : call(read);
    }

    /// <summary>An error about parameters.</summary>
    public static RpcAnswer Invalid(string subject, string message, string remedy) =>
        RpcAnswer.Fail(ControlErrorCode.InvalidParameters, message, subject, remedy);
}
