using System.Text.Json.Serialization;

namespace Tmem.Control.Messages;

/// <summary>
/// Serialisers made at compile time. Strict: a parameter that nobody knows is an error, not a typing mistake that goes unnoticed.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(RpcRequest))]
[JsonSerializable(typeof(RpcError))]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(PoolListReply))]
[JsonSerializable(typeof(PoolReply))]
[JsonSerializable(typeof(PoolDestroyReply))]
[JsonSerializable(typeof(CheckReply))]
[JsonSerializable(typeof(StopReply))]
[JsonSerializable(typeof(UpgradeReply))]
[JsonSerializable(typeof(AdoptReply))]
[JsonSerializable(typeof(PoolNameParameters))]
[JsonSerializable(typeof(PoolCreateParameters))]
[JsonSerializable(typeof(PoolReserveParameters))]
[JsonSerializable(typeof(PoolDestroyParameters))]
[JsonSerializable(typeof(UpgradeParameters))]
internal sealed partial class ControlJson : JsonSerializerContext;

/// <summary>What a client reads: lenient, so that an older client understands a newer daemon's replies.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(RpcReply))]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(PoolListReply))]
[JsonSerializable(typeof(PoolReply))]
[JsonSerializable(typeof(PoolDestroyReply))]
[JsonSerializable(typeof(CheckReply))]
[JsonSerializable(typeof(StopReply))]
[JsonSerializable(typeof(UpgradeReply))]
[JsonSerializable(typeof(AdoptReply))]
internal sealed partial class ControlReplyJson : JsonSerializerContext;
