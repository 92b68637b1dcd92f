using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tmem.Control.Messages;

/// <summary>
/// Serialisers made at compile time. Strict: an unknown parameter is an error, not a typing mistake that goes unnoticed.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(RpcRequest))]
[JsonSerializable(typeof(RpcError))]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(MetricsReply))]
[JsonSerializable(typeof(PoolListReply))]
[JsonSerializable(typeof(PoolReply))]
[JsonSerializable(typeof(PoolDestroyReply))]
[JsonSerializable(typeof(PoolSetReply))]
[JsonSerializable(typeof(PoolEmptyReply))]
[JsonSerializable(typeof(PoolRecompressReply))]
[JsonSerializable(typeof(RoomReply))]
[JsonSerializable(typeof(SyncReply))]
[JsonSerializable(typeof(ClientListReply))]
[JsonSerializable(typeof(ClientFigures))]
[JsonSerializable(typeof(CheckReply))]
[JsonSerializable(typeof(StopReply))]
[JsonSerializable(typeof(UpgradeReply))]
[JsonSerializable(typeof(AdoptReply))]
[JsonSerializable(typeof(PoolNameParameters))]
[JsonSerializable(typeof(PoolCreateParameters))]
[JsonSerializable(typeof(PoolReserveParameters))]
[JsonSerializable(typeof(PoolDestroyParameters))]
[JsonSerializable(typeof(PoolSetParameters))]
[JsonSerializable(typeof(ResizeParameters))]
[JsonSerializable(typeof(ShrinkParameters))]
[JsonSerializable(typeof(ClientSetParameters))]
[JsonSerializable(typeof(StopParameters))]
[JsonSerializable(typeof(UpgradeParameters))]
internal sealed partial class ControlJson : JsonSerializerContext;

/// <summary>
/// The same messages as a client reads them: lenient, so that an older client understands a newer daemon's replies. Separate from
/// the list above, so that the daemon contains none of it.
/// </summary>
internal static class ReplyJson
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        TypeInfoResolver = ControlJson.Default,
    };

    /// <summary>Reads one of the types on the list.</summary>
    public static T? Read<T>(JsonElement json) => json.Deserialize((JsonTypeInfo<T>)s_options.GetTypeInfo(typeof(T)));
}
