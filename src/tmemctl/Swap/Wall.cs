using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>
/// How much more the store can take, in bytes of uncompressed pages. A swap device promises the kernel its size; a store that is
/// full before the device answers writes with an error, and the kernel then retries the same pages instead of using another
/// device. So a device is made no larger than the store holds of pages that do not shrink at all, and a user who asks for more is
/// told where the wall is.
/// </summary>
/// <param name="AtWorst">If no page shrinks any more.</param>
/// <param name="AtPresent">If pages compress as those swapped so far; the same if there are none.</param>
internal sealed record Wall(long AtWorst, long AtPresent)
{
    private const long Page = 4096;

    /// <summary>
    /// Memory of a page that does not shrink: 4112 bytes of slot and 8.4 of index, measured at 16 MiB, 96 MiB and 1 GiB; the
    /// rest, one part in a hundred, is for index nodes that are not full.
    /// </summary>
    private const long WorstPage = 4160;

    /// <summary>Memory of a store before its first page (160 KiB), and the records of files.</summary>
    private const long Fixed = 1 << 20;

    /// <summary>The largest whole number of pages that a store can surely hold, in bytes.</summary>
    /// <param name="status">The store.</param>
    /// <param name="pools">All pools.</param>
    /// <param name="others">Devices that are on: what they have not used yet is promised too.</param>
    public static long Sure(StatusReply status, IReadOnlyList<PoolSummary> pools, IReadOnlyList<SwapFile> others) =>
        Fitting(Free(status, pools, 0) - Promised(pools, others), WorstPage);

    /// <summary>How near a swap device's pool is to the wall.</summary>
    /// <param name="status">The store.</param>
    /// <param name="pools">All pools.</param>
    /// <param name="figures">The pool's.</param>
    /// <param name="reserve">The pool's reserve.</param>
    /// <param name="others">The other devices that are on.</param>
    public static Wall Of(StatusReply status, IReadOnlyList<PoolSummary> pools, PoolFigures figures, long reserve,
        IReadOnlyList<SwapFile> others)
    {
        var memory = figures.SlotBytes + figures.IndexBytes;
        var free = Math.Max(0, Free(status, pools, Math.Max(0, reserve - memory)) - Promised(pools, others));
        // With too few pages, the index's first nodes would dominate the figure.
        const int fewest = 1024;
        var atWorst = Fitting(free, WorstPage);
        return new Wall(atWorst, figures.Pages < fewest ? atWorst
            : Math.Max(atWorst, (long)(free * (double)(figures.Pages * Page) / Math.Max(memory, 1)) / Page * Page));
    }

    /// <summary>
    /// In words, for a device with this much unused. A device of the default size has no wall: it has already been reduced by the
    /// room for the first page.
    /// </summary>
    public string Describe(long unused)
    {
        if (AtWorst + Fixed >= unused)
            return $"the store has room for the {Words.Size(unused)} that are unused, even if no page shrinks";
        var atPresent = AtPresent > AtWorst ? $"{Words.Size(Math.Min(AtPresent, unused))} more at the present ratio, " : "";
        return $"the store has room for {atPresent}{Words.Size(AtWorst)} more if no page shrinks; {Words.Size(unused)} of the "
            + "device are unused, and once the store is full, writes to it fail";
    }

    /// <summary>Pages of ephemeral pools give way to puts; the reserves of others do not.</summary>
    private static long Free(StatusReply status, IReadOnlyList<PoolSummary> pools, long ownUnmet)
    {
        var store = status.Store;
        var yielding = pools.Where(pool => pool.Kind == "ephemeral").Sum(pool => pool.MemoryBytes);
        return Math.Max(0, store.CapacityBytes - store.UsedBytes + yielding - Math.Max(0, store.UnmetReserveBytes - ownUnmet));
    }

    /// <summary>What devices may still take if no page shrinks, beyond what their pools are guaranteed.</summary>
    private static long Promised(IReadOnlyList<PoolSummary> pools, IReadOnlyList<SwapFile> devices) => devices.Sum(device =>
    {
        var unused = device.Entry is { } entry ? Math.Max(0, entry.SizeBytes - entry.UsedBytes) / Page * WorstPage : 0;
        var unmet = pools.FirstOrDefault(pool => pool.Name == device.Pool) is { } its
            ? Math.Max(0, its.ReserveBytes - its.MemoryBytes) : 0;
        return Math.Max(0, unused - unmet);
    });

    private static long Fitting(long free, long each) => Math.Max(0, free - Math.Min(Fixed, free / 16)) / each * Page;
}
