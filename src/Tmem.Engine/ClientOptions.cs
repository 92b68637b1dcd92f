namespace Tmem.Engine;

/// <summary>What a host grants a client. Kept in the region, so an attach restores it.</summary>
/// <param name="Weight">
/// The client's share of ephemeral memory when the store is full, relative to the weights of the other clients that hold
/// ephemeral pages (after Xen tmem's <c>client_over_quota</c>): 1 to <see cref="MaximumWeight"/>.
/// </param>
/// <param name="LimitBytes">
/// The most real memory (slots and index) that the client's own pools may take, in bytes; 0 for no limit. Counted in steps of 16,
/// as slots are.
/// </param>
public readonly record struct ClientOptions(int Weight = 1, long LimitBytes = 0)
{
    /// <summary>The highest weight.</summary>
    public const int MaximumWeight = ushort.MaxValue;

    /// <summary>The highest limit: 256 TiB, four times what a region can address.</summary>
    public const long MaximumLimitBytes = (1L << 48) - 16;

    /// <summary>The options of a client never configured: weight 1, no limit.</summary>
    public ClientOptions() : this(1) { }
}

/// <summary>One client and its figures.</summary>
/// <param name="Id">The client.</param>
/// <param name="Options">Its weight and limit.</param>
/// <param name="Frozen">Its puts are refused (<see cref="TmemClient.Freeze"/>).</param>
/// <param name="Pools">Pools it owns.</param>
/// <param name="Pages">Pages in them.</param>
/// <param name="MemoryBytes">Their real memory, slots and index: what the limit bounds.</param>
/// <param name="EphemeralBytes">The part of it in ephemeral pools.</param>
/// <param name="ShareBytes">Its share of all ephemeral memory by weight; 0 while it holds none.</param>
public sealed record ClientInfo(
    TmemClientId Id, ClientOptions Options, bool Frozen, int Pools, long Pages, long MemoryBytes, long EphemeralBytes,
        long ShareBytes);
