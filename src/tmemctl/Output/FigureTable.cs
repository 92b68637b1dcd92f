using Tmem.Control.Messages;

namespace Tmem.Ctl.Output;

/// <summary>The counters of a pool, or of all pools, as rows.</summary>
internal static class FigureTable
{
    /// <summary>Name and value of each row.</summary>
    public static IEnumerable<(string Name, string Value)> Rows(PoolFigures figures)
    {
        yield return ("stored",
            $"{Counted.Of(figures.Pages, "page")} in {Counted.Of(figures.Objects, "object")}: "
            + $"{Words.Size(figures.OriginalBytes)} as {Words.Size(figures.CompressedBytes)}, ratio "
            + $"{Words.Ratio(figures.OriginalBytes, figures.CompressedBytes)}");
        yield return ("  memory",
            $"{Words.Size(figures.SlotBytes)} slots, {Words.Size(figures.IndexBytes)} index, {Words.Size(figures.RecordBytes)} "
            + "names and attributes");
        yield return ("  same-filled", Words.Count(figures.SameFilledPages));
        yield return ("  raw", Words.Count(figures.RawPages));
        if (figures.ZstdPages != 0)
            yield return ("  zstd", $"{Words.Count(figures.ZstdPages)} as {Words.Size(figures.ZstdBytes)}");
        if (figures.DictionaryPages != 0 || figures.PagesRecompressed != 0)
            yield return ("  recompressed",
                $"{Words.Count(figures.DictionaryPages)} as {Words.Size(figures.DictionaryBytes)}, zstd with a dictionary; "
                + $"{Words.Size(figures.RecompressionBytes)} won from {Counted.Of(figures.PagesRecompressed, "page")} so far, "
                + $"{figures.PagesWarmed} lz4 again");
        yield return ("puts",
            $"{figures.Puts}: {figures.PutsStored} stored ({figures.PutsReplaced} replaced), refused {figures.PutsNoRoom} no "
            + $"room, {figures.PutsReserved} reserved for others, {figures.PutsPoolLimit} pool limit, {figures.PutsClientLimit} "
            + $"client limit, {figures.PutsFrozen} frozen, {figures.PutsIncompressible} incompressible");
        yield return ("gets", $"{figures.Gets}: {figures.GetHits} found, {figures.GetMisses} not");
        yield return ("page flushes", $"{figures.PageFlushesFound} found, {figures.PageFlushesNotFound} not");
        yield return ("object flushes",
            $"{figures.ObjectFlushesFound} found, {figures.ObjectFlushesNotFound} not, "
            + $"{Counted.Of(figures.PagesFlushed, "page")}");
        yield return ("evicted", $"{figures.Evictions}: {figures.EvictionsPoolLimit} pool limit, "
            + $"{figures.EvictionsClientLimit} client limit");
        yield return ("corrupt", Words.Count(figures.CorruptPages));
    }
}
