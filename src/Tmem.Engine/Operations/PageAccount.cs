using System.Runtime.CompilerServices;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Operations;

/// <summary>Charges pages to their pool and counts the outcomes of requests.</summary>
internal static class PageAccount
{
    /// <summary>Counts the outcome of a put or a write.</summary>
    public static void CountOutcome(Pool pool, TmemStatus status)
    {
        var counters = pool.Counters;
        switch (status)
        {
            case TmemStatus.Ok: counters.Add(Count.PutsStored); break;
            case TmemStatus.NoRoom: counters.Add(Count.PutsNoRoom); break;
            case TmemStatus.Reserved: counters.Add(Count.PutsReserved); break;
            case TmemStatus.PoolLimit: counters.Add(Count.PutsPoolLimit); break;
            case TmemStatus.ClientLimit: counters.Add(Count.PutsClientLimit); break;
            case TmemStatus.Frozen: counters.Add(Count.PutsFrozen); break;
            case TmemStatus.Incompressible: counters.Add(Count.PutsIncompressible); break;
        }
    }

    /// <summary>Adds this many equal pages; a negative number removes them.</summary>
    public static void Add(Pool pool, in PageCost cost, int pages)
    {
        var costs = default(PageCosts);
        costs.Add(cost, pages);
        Add(pool, costs);
    }

    /// <summary>Adds or removes pages.</summary>
    public static void Add(Pool pool, in PageCosts costs)
    {
        var counters = pool.Counters;
        counters.Add(Count.Pages, costs.Pages);
        if (costs.SameFilled != 0) counters.Add(Count.SameFilledPages, costs.SameFilled);
        if (costs.CompressedBytes != 0) counters.Add(Count.CompressedBytes, costs.CompressedBytes);
        if (costs.SlotBytes != 0) counters.Add(Count.SlotBytes, costs.SlotBytes);
        if (costs.Raw != 0) counters.Add(Count.RawPages, costs.Raw);
        if (costs.Zstd != 0) counters.Add(Count.ZstdPages, costs.Zstd);
        if (costs.ZstdBytes != 0) counters.Add(Count.ZstdBytes, costs.ZstdBytes);
        if (costs.Dictionary != 0) counters.Add(Count.DictionaryPages, costs.Dictionary);
        if (costs.DictionaryBytes != 0) counters.Add(Count.DictionaryBytes, costs.DictionaryBytes);
    }

    /// <summary>
    /// Adds one page and removes the other, with an interlocked add only where they differ: half the adds of an overwrite.
    /// </summary>
    public static void Replace(Pool pool, in PageCost cost, in PageCost old)
    {
        pool.Counters.Add(Count.PutsReplaced);
        Change(pool, cost, old);
    }

    /// <summary>As <see cref="Replace"/>, for a page that changes its form and not its contents.</summary>
    public static void Change(Pool pool, in PageCost cost, in PageCost old)
    {
        var counters = pool.Counters;
        if (cost.CompressedBytes != old.CompressedBytes)
            counters.Add(Count.CompressedBytes, cost.CompressedBytes - old.CompressedBytes);
        if (cost.SlotBytes != old.SlotBytes) counters.Add(Count.SlotBytes, cost.SlotBytes - old.SlotBytes);
        if (cost.Form == PageForm.Packed && old.Form == PageForm.Packed) return;
        CountForm(counters, cost, 1);
        CountForm(counters, old, -1);
    }

    private static void CountForm(PoolCounters counters, in PageCost cost, int pages)
    {
        switch (cost.Form)
        {
            case PageForm.SameFilled: counters.Add(Count.SameFilledPages, pages); break;
            case PageForm.Raw: counters.Add(Count.RawPages, pages); break;
            case PageForm.Zstd:
                counters.Add(Count.ZstdPages, pages);
                counters.Add(Count.ZstdBytes, pages * cost.CompressedBytes);
                break;
            case PageForm.Dictionary:
                counters.Add(Count.DictionaryPages, pages);
                counters.Add(Count.DictionaryBytes, pages * cost.CompressedBytes);
                break;
        }
    }
}

/// <summary>The total cost of pages; removed ones count negative.</summary>
internal struct PageCosts
{
    public long Pages;
    public long SameFilled;
    public long Raw;
    public long Zstd;
    public long ZstdBytes;
    public long Dictionary;
    public long DictionaryBytes;
    public long CompressedBytes;
    public long SlotBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(in PageCost cost, int pages)
    {
        Pages += pages;
        switch (cost.Form)
        {
            case PageForm.SameFilled: SameFilled += pages; break;
            case PageForm.Raw: Raw += pages; break;
            case PageForm.Zstd: (Zstd, ZstdBytes) = (Zstd + pages, ZstdBytes + (long)pages * cost.CompressedBytes); break;
            case PageForm.Dictionary:
                Dictionary += pages;
                DictionaryBytes += (long)pages * cost.CompressedBytes;
                break;
        }
        CompressedBytes += (long)pages * cost.CompressedBytes;
        SlotBytes += (long)pages * cost.SlotBytes;
    }
}
