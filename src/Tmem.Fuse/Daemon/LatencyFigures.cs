using Tmem.Control.Messages;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>Converts what sessions have measured to messages.</summary>
internal static class LatencyFigures
{
    /// <summary>What has been measured of a mount, a kind each.</summary>
    public static IReadOnlyList<RequestLatencies> Of(ServedMount mount)
    {
        Latencies sum = default;
        mount.Gather(ref sum);
        var figures = new List<RequestLatencies>();
        for (var kind = 0; kind < RequestKinds.Count; kind++)
        {
            ReadOnlySpan<long> counts = sum[kind].Counts;
            figures.Add(new RequestLatencies(NameOf((RequestKind)kind), sum[kind].Nanoseconds, counts.ToArray()));
        }
        return figures;
    }

    private static string NameOf(RequestKind kind) => kind switch
    {
        RequestKind.Read => "read",
        RequestKind.Write => "write",
        RequestKind.Discard => "discard",
        RequestKind.Names => "names",
        RequestKind.Attributes => "attributes",
        RequestKind.Sync => "sync",
        _ => "other",
    };
}
