using Tmem.Engine.Pools;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Chooses the client that loses ephemeral pages first when the store is full: the one most over its share of all ephemeral
/// memory, which is its weight relative to the weights of all that hold ephemeral pages (Xen tmem's <c>client_over_quota</c>, by
/// bytes where Xen counts pages). Under the hand's latch.
/// </summary>
internal sealed class OverShare(ClientTable clients)
{
    /// <summary>
    /// Evictions that a choice serves: adding up the pools costs about a microsecond, a sixteenth of that is lost beside one
    /// eviction.
    /// </summary>
    private const int Lasting = 16;

    /// <summary>
    /// A client over by less than this part of all ephemeral memory is left alone: the hand skips the pages of others, and so
    /// never reads more than 64 slot headers for a page it evicts. Within that, the hand's own order decides.
    /// </summary>
    private const int Slack = 64;

    private ClientState? _client;
    private int _left;

    /// <summary>The client to evict from; null if none is over and any page will do.</summary>
    public ClientState? Client
    {
        get
        {
            if (_left-- <= 0) Choose();
            return _client;
        }
    }

    /// <summary>The chosen client had nothing left to evict.</summary>
    public void RanDry() => _left = 0;

    private void Choose()
    {
        _left = Lasting - 1;
        _client = null;
        var all = clients.All;
        var shares = EphemeralShares.Among(all);
        var most = shares.TotalBytes / Slack;
        foreach (var client in all)
        {
            var memory = client.EphemeralMemory;
            var over = memory - shares.Of(client);
            if (memory == 0 || over <= most) continue;
            most = over;
            _client = client;
        }
    }
}
