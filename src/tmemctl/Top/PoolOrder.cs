using Tmem.Control.Messages;

namespace Tmem.Ctl.Top;

/// <summary>The columns that pools can be sorted by; names rise, figures fall.</summary>
internal enum PoolOrder
{
    Memory,
    Pages,
    Ratio,
    Puts,
    Refused,
    Gets,
    Evicted,
    Name,
}

internal static class PoolOrders
{
    private static readonly int s_count = Enum.GetValues<PoolOrder>().Length;

    /// <summary>The order some columns further on, around the ends.</summary>
    public static PoolOrder Move(this PoolOrder order, int by) => (PoolOrder)(((int)order + by + s_count) % s_count);

    /// <summary>The pools in an order.</summary>
    public static IReadOnlyList<PoolReply> Sort(this PoolOrder order, Change change)
    {
        var pools = change.Now.Reply.Pools;
        return order == PoolOrder.Name ? [.. pools.OrderBy(pool => pool.Name, StringComparer.Ordinal)]
            : [.. pools.OrderByDescending(pool => Key(order, change, pool)).ThenBy(pool => pool.Name, StringComparer.Ordinal)];
    }

    private static double Key(PoolOrder order, Change change, PoolReply pool) => order switch
    {
        PoolOrder.Memory => Memory(pool.Figures),
        PoolOrder.Pages => pool.Figures.Pages,
        PoolOrder.Ratio => pool.Figures.CompressedBytes == 0 ? 0
            : (double)pool.Figures.OriginalBytes / pool.Figures.CompressedBytes,
        PoolOrder.Puts => change.Rate(pool, figures => figures.PutsStored) ?? 0,
        PoolOrder.Refused => change.Rate(pool, Refused) ?? 0,
        PoolOrder.Gets => change.Rate(pool, figures => figures.Gets) ?? 0,
        _ => change.Rate(pool, figures => figures.Evictions) ?? 0,
    };

    public static long Memory(PoolFigures figures) => figures.SlotBytes + figures.IndexBytes + figures.RecordBytes;

    public static long Refused(PoolFigures figures) => figures.PutsNoRoom + figures.PutsReserved + figures.PutsPoolLimit
        + figures.PutsClientLimit + figures.PutsFrozen + figures.PutsIncompressible;
}
