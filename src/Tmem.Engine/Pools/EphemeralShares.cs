namespace Tmem.Engine.Pools;

/// <summary>All ephemeral memory, and the weights of the clients that hold any: what a client's share is a part of.</summary>
internal readonly record struct EphemeralShares(long TotalBytes, long Weights)
{
    public static EphemeralShares Among(ClientState[] clients)
    {
        long total = 0, weights = 0;
        foreach (var client in clients)
        {
            var memory = client.EphemeralMemory;
            if (memory == 0) continue;
            total += memory;
            weights += client.Settings.Weight;
        }
        return new EphemeralShares(total, weights);
    }

    /// <summary>
    /// What a client that holds ephemeral pages may have by its weight. Memory is below 2^46 and a weight below 2^16.
    /// </summary>
    public long Of(ClientState client) => Weights == 0 ? 0 : TotalBytes * client.Settings.Weight / Weights;
}
