using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>Describes a store that was opened with less capacity than its pools' reserves (docs/contract.md).</summary>
internal static class OverReserved
{
    /// <summary>The problem and the remedy; null if all reserves fit.</summary>
    /// <param name="statistics">The store.</param>
    /// <param name="pools">Its pools by name.</param>
    /// <param name="tmemctl">Command lines that address this daemon.</param>
    public static ReserveExcess? Of(EngineStatistics statistics, IReadOnlyList<NamedPool> pools, ControlCommand tmemctl)
    {
        if (statistics.ExcessReserveBytes == 0) return null;
        var reserves = statistics.Pools.ToDictionary(pool => pool.Id, pool => pool.Options.ReserveBytes);
        var reserved = pools.Select(pool => (pool.Name, Bytes: reserves.GetValueOrDefault(pool.Id)))
            .Where(pool => pool.Bytes > 0).OrderByDescending(pool => pool.Bytes).ToList();
        var excess = statistics.ExcessReserveBytes;
        List<string> commands = [];
        foreach (var (name, bytes) in reserved)
        {
            if (excess <= 0) break;
            commands.Add($"'{tmemctl.Line("pool reserve", name, "0")}'");
            excess -= bytes;
        }
        return new ReserveExcess(
            $"pools are guaranteed {ByteSize.Format(statistics.ReservedBytes)}, "
            + $"{ByteSize.Format(statistics.ExcessReserveBytes)} more than a capacity of "
            + $"{ByteSize.Format(statistics.CapacityBytes)} can hold, so nothing is stored in pools without a reserve, nor "
            + "beyond one",
            $"end a guarantee with {string.Join(" and ", commands)}, or start tmemd with more --capacity");
    }
}
