namespace Tmem.Engine.Pools;

/// <summary>All ephemeral memory, and the weights of the clients that hold any: the basis of a client's share.</summary>
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
    /// The share, by weight, of a client that holds ephemeral pages. Memory is below 2^46 and a weight below 2^16.
    /// </summary>
    public long Of(ClientState client) => Weights == 0 ? 0 : TotalBytes * client.Settings.Weight / Weights;
}
