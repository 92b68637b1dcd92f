using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Settings;

/// <summary>All settings, each with where it comes from. Sizes are in bytes.</summary>
internal sealed record TmemSettings(StoreSettings Store, IReadOnlyList<SwapSettings> Swaps,
    IReadOnlyList<PoolSettings> Pools);

/// <summary>[store].</summary>
internal sealed record StoreSettings
{
    public required Setting<string> Mount { get; init; }
    /// <summary>Of <see cref="MountFlags"/>.</summary>
    public required Setting<uint> MountOptions { get; init; }
    public required Setting<string> MountSource { get; init; }
    public required Setting<long> Capacity { get; init; }
    /// <summary>Empty for none.</summary>
    public required Setting<string> Region { get; init; }
    /// <summary>Seconds.</summary>
    public required Setting<int> SyncInterval { get; init; }
    public required Setting<bool> HugePages { get; init; }
    public required Setting<int> Threads { get; init; }
    /// <summary>Microseconds; null leaves it to the daemon.</summary>
    public required Setting<int?> Spin { get; init; }
    public required Setting<CodecWish> Codec { get; init; }
    /// <summary>Percent of a processor.</summary>
    public required Setting<int> Recompress { get; init; }
    public required Setting<int> RecompressLevel { get; init; }
    public required Setting<LogWish> Log { get; init; }
    public required Setting<string> Socket { get; init; }
    /// <summary>Its number; null for none.</summary>
    public required Setting<uint?> SocketGroup { get; init; }
}

/// <summary>[swap], or one [[swap]].</summary>
internal sealed record SwapSettings
{
    /// <summary>Whether it is a [[swap]], whose pool is its name.</summary>
    public required bool IsNamed { get; init; }
    public required Setting<bool> On { get; init; }
    /// <summary>Null: what the store surely holds.</summary>
    public required Setting<long?> Size { get; init; }
    public required Setting<int> Priority { get; init; }
    public required Setting<string> Pool { get; init; }
}

/// <summary>One [[pool]].</summary>
internal sealed record PoolSettings
{
    public required Setting<string> Name { get; init; }
    public required Setting<bool> Ephemeral { get; init; }
    /// <summary>0 for none.</summary>
    public required Setting<long> Limit { get; init; }
    /// <summary>0 for none.</summary>
    public required Setting<long> Reserve { get; init; }
    public required Setting<CodecWish> Codec { get; init; }
    public required Setting<int> PageSize { get; init; }
    public required Setting<uint> Owner { get; init; }
    public required Setting<uint> Group { get; init; }
    public required Setting<uint> Mode { get; init; }
}
