using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tmem.Control.Messages;

/// <summary>A request line, as a client writes it.</summary>
internal sealed record RpcRequest(string Jsonrpc, long Id, string Method, JsonElement? Params);

/// <summary>An error: <see cref="Message"/> is a sentence that names the thing.</summary>
internal sealed record RpcError(int Code, string Message, RpcErrorData? Data);

/// <summary>The details that a program or a person needs to act on an error.</summary>
/// <param name="Subject">What it is about: a pool, a method, the socket.</param>
/// <param name="Remedy">What to do about it.</param>
internal sealed record RpcErrorData(string Subject, string Remedy);

/// <summary>Parameters of <c>pool.show</c>.</summary>
internal sealed record PoolNameParameters
{
    public string? Name { get; init; }
}

/// <summary>Parameters of <c>pool.create</c>. Only the name is needed: a persistent pool without a limit.</summary>
internal sealed record PoolCreateParameters
{
    public string? Name { get; init; }
    public bool Ephemeral { get; init; }
    /// <summary>Bytes; 0 is no limit.</summary>
    public long Limit { get; init; }
    /// <summary>The reserve in bytes; 0 is none.</summary>
    public long Reserve { get; init; }
    public bool RefuseIncompressible { get; init; }
    /// <summary>True: made for swap, so its owner's alone from its first moment, and known as such ever after.</summary>
    public bool? ForSwap { get; init; }
    /// <summary>lz4, lz4-reference or zstd; without it, or with pool, the default.</summary>
    public CodecWish? Codec { get; init; }
    /// <summary>Bytes of a page: 4096, which is what pools of files have.</summary>
    public int? PageSize { get; init; }
    /// <summary>The directory's user, by number; without it root.</summary>
    public uint? Owner { get; init; }
    /// <summary>The directory's group, by number; without it root's.</summary>
    public uint? Group { get; init; }
    /// <summary>The directory's permission bits, from 0 to 4095 (octal 7777); without it octal 755.</summary>
    public uint? Mode { get; init; }
}

/// <summary>Parameters of <c>pool.set</c>: omitted ones stay as they are.</summary>
internal sealed record PoolSetParameters
{
    public string? Name { get; init; }
    /// <summary>Bytes; 0 is no limit.</summary>
    public long? Limit { get; init; }
    /// <summary>Bytes; 0 is none.</summary>
    public long? Reserve { get; init; }
    /// <summary>lz4, lz4-reference or zstd; pool is the default.</summary>
    public CodecWish? Codec { get; init; }
    public uint? Owner { get; init; }
    public uint? Group { get; init; }
    public uint? Mode { get; init; }
}

/// <summary>Parameters of <c>resize</c>.</summary>
internal sealed record ResizeParameters
{
    /// <summary>The new capacity in bytes.</summary>
    public required long Capacity { get; init; }
}

/// <summary>Parameters of <c>shrink</c>.</summary>
internal sealed record ShrinkParameters
{
    /// <summary>The most that the store is to take, in bytes.</summary>
    public required long Size { get; init; }
}

/// <summary>Parameters of <c>client.set</c>: omitted ones stay as they are.</summary>
internal sealed record ClientSetParameters
{
    public required uint Id { get; init; }
    /// <summary>Bytes; 0 is no limit.</summary>
    public long? Limit { get; init; }
    public int? Weight { get; init; }
}

/// <summary>Parameters of <c>pool.reserve</c>, which our own programs no longer call.</summary>
internal sealed record PoolReserveParameters
{
    public string? Name { get; init; }
    /// <summary>The new reserve in bytes; 0 is none.</summary>
    public long Reserve { get; init; }
}

/// <summary>Parameters of <c>pool.destroy</c>.</summary>
internal sealed record PoolDestroyParameters
{
    public string? Name { get; init; }
    /// <summary>Destroy it even if it holds files.</summary>
    public bool Force { get; init; }
}

/// <summary>Parameters of <c>stop</c>; without any, nothing is lost.</summary>
internal sealed record StopParameters
{
    /// <summary>Stop even if the region's file cannot be written or has been removed.</summary>
    public bool Discard { get; init; }
    /// <summary>Only say whether it would be refused once swap is off.</summary>
    public bool DryRun { get; init; }
}

/// <summary>Parameters of <c>upgrade</c>: omitted ones stay as they are.</summary>
internal sealed record UpgradeParameters
{
    /// <summary>Absolute path of the program; without it, the file now at the running program's path.</summary>
    public string? Binary { get; init; }
    public int? Threads { get; init; }
    /// <summary>Microseconds.</summary>
    public int? Spin { get; init; }
    /// <summary>debug, info, warning or error.</summary>
    public LogWish? Log { get; init; }
    /// <summary>pool, lz4, lz4-reference or zstd.</summary>
    public CodecWish? Codec { get; init; }
}

/// <summary>An enumeration by its words alone: numbers are refused, even those of a value.</summary>
internal sealed class WordConverter<T>() : JsonStringEnumConverter<T>(namingPolicy: null, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>The codec of new pages; from the second on, in the engine's order.</summary>
[JsonConverter(typeof(WordConverter<CodecWish>))]
internal enum CodecWish
{
    /// <summary>Each pool's own codec.</summary>
    [JsonStringEnumMemberName("pool")] Pool,
    [JsonStringEnumMemberName("lz4")] Lz4,
    [JsonStringEnumMemberName("lz4-reference")] Lz4Reference,
    [JsonStringEnumMemberName("zstd")] Zstd,
}

/// <summary>A log level by name, in the daemon's order.</summary>
[JsonConverter(typeof(WordConverter<LogWish>))]
internal enum LogWish
{
    [JsonStringEnumMemberName("debug")] Debug,
    [JsonStringEnumMemberName("info")] Info,
    [JsonStringEnumMemberName("warning")] Warning,
    [JsonStringEnumMemberName("error")] Error,
}
