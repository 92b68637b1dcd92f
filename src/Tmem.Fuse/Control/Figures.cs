using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>Converts the engine's figures to messages: the only place that knows both.</summary>
internal static class Figures
{
    /// <summary>Memory of the store.</summary>
    public static StoreFigures Of(EngineStatistics statistics) => new()
    {
        CapacityBytes = statistics.CapacityBytes,
        UsedBytes = statistics.UsedBytes,
        PeakUsedBytes = statistics.PeakUsedBytes,
        PageSpanBytes = statistics.PageSpanBytes,
        MetadataBytes = statistics.MetadataBytes,
        ReadySpanBytes = statistics.ReadySpanBytes,
        RecordSpanBytes = statistics.RecordSpanBytes,
        DictionarySpanBytes = statistics.DictionarySpanBytes,
        SlackBytes = statistics.SlackBytes,
        StrayBytesReturned = statistics.StrayBytesReturned,
        WorkingBytes = statistics.WorkingBytes,
        ReservedBytes = statistics.ReservedBytes,
        UnmetReserveBytes = statistics.UnmetReserveBytes,
        ReservableBytes = statistics.ReservableBytes,
        ExcessReserveBytes = statistics.ExcessReserveBytes,
        SlotsMoved = statistics.SlotsMoved,
        Spans = statistics.Spans,
        SpansReturned = statistics.SpansReturned,
        Generation = statistics.Generation,
        Recompression = Of(statistics.Recompression),
        Durability = Of(statistics.Durability),
    };

    private static RecompressionFigures Of(RecompressionStatistics statistics) => new()
    {
        InBackground = statistics.InBackground,
        ProcessorSeconds = Math.Round(statistics.ProcessorTime.TotalSeconds, 3),
        Dictionaries = [.. statistics.Dictionaries.Select(one => new DictionaryFigures
        {
            Number = one.Number, Pool = one.Pool.Value, MadeAt = one.MadeAt, Bytes = one.Bytes, Pages = one.Pages,
        })],
    };

    private static DurabilityFigures Of(DurabilityStatistics statistics) => new()
    {
        Checkpoints = statistics.Checkpoints,
        Failures = statistics.Failures,
        LastFailed = statistics.LastFailed,
        BytesBehind = statistics.BytesBehind,
        FileRemoved = statistics.FileRemoved,
        FileMovedTo = statistics.FileMovedTo,
        Unquiet = statistics.Unquiet,
        Tracking = statistics.Tracking switch
        {
            ChangeTracking.WriteProtection => "write-protect",
            ChangeTracking.Hashes => "hashes",
            _ => "none",
        },
        Pages = statistics.Pages,
        LongestStandstillMicroseconds = (long)statistics.LongestStandstill.TotalMicroseconds,
    };

    /// <summary>Counters of one pool, or of all.</summary>
    public static PoolFigures Of(in PoolStatistics statistics) => new()
    {
        Pages = statistics.Pages,
        Objects = statistics.Objects,
        OriginalBytes = statistics.OriginalBytes,
        CompressedBytes = statistics.CompressedBytes,
        SlotBytes = statistics.SlotBytes,
        IndexBytes = statistics.IndexBytes,
        RecordBytes = statistics.RecordBytes,
        SameFilledPages = statistics.SameFilledPages,
        RawPages = statistics.RawPages,
        ZstdPages = statistics.ZstdPages,
        ZstdBytes = statistics.ZstdBytes,
        DictionaryPages = statistics.DictionaryPages,
        DictionaryBytes = statistics.DictionaryBytes,
        Puts = statistics.Puts,
        PutsStored = statistics.PutsStored,
        PutsReplaced = statistics.PutsReplaced,
        PutsNoRoom = statistics.PutsNoRoom,
        PutsReserved = statistics.PutsReserved,
        PutsPoolLimit = statistics.PutsPoolLimit,
        PutsClientLimit = statistics.PutsClientLimit,
        PutsFrozen = statistics.PutsFrozen,
        PutsIncompressible = statistics.PutsIncompressible,
        Gets = statistics.Gets,
        GetHits = statistics.GetHits,
        GetMisses = statistics.GetMisses,
        PageFlushesFound = statistics.PageFlushesFound,
        PageFlushesNotFound = statistics.PageFlushesNotFound,
        ObjectFlushesFound = statistics.ObjectFlushesFound,
        ObjectFlushesNotFound = statistics.ObjectFlushesNotFound,
        PagesFlushed = statistics.PagesFlushed,
        Evictions = statistics.Evictions,
        EvictionsPoolLimit = statistics.EvictionsPoolLimit,
        EvictionsClientLimit = statistics.EvictionsClientLimit,
        PagesRecompressed = statistics.PagesRecompressed,
        RecompressionBytes = statistics.RecompressionBytes,
        PagesWarmed = statistics.PagesWarmed,
        CorruptPages = statistics.CorruptPages,
    };

    /// <summary>A client.</summary>
    public static ClientFigures Of(ClientInfo client) => new()
    {
        Id = client.Id.Value,
        Weight = client.Options.Weight,
        LimitBytes = client.Options.LimitBytes,
        Frozen = client.Frozen,
        Pools = client.Pools,
        Pages = client.Pages,
        MemoryBytes = client.MemoryBytes,
        EphemeralBytes = client.EphemeralBytes,
        ShareBytes = client.ShareBytes,
    };

    /// <summary>A row of the list. A pool destroyed since the snapshot counts as empty.</summary>
    public static PoolSummary Summary(NamedPool pool, PoolSnapshot? snapshot)
    {
        var figures = snapshot?.Statistics ?? default;
        return new PoolSummary
        {
            Name = pool.Name,
            Id = pool.Id.Value,
            Kind = Kind(pool),
            PageSize = PageSize(pool),
            LimitBytes = pool.Options.LimitBytes,
            ReserveBytes = snapshot?.Options.ReserveBytes ?? 0,
            RefuseIncompressible = pool.Options.RefuseIncompressible,
            ForSwap = pool.ForSwap ? true : null,
            HoldsSwap = pool.HoldsSwap,
            Codec = pool.Options.Codec.Name(),
            Owner = pool.Owner.User,
            Group = pool.Owner.Group,
            Mode = pool.Mode,
            Objects = figures.Objects,
            Pages = figures.Pages,
            OriginalBytes = figures.OriginalBytes,
            CompressedBytes = figures.CompressedBytes,
            MemoryBytes = figures.SlotBytes + figures.IndexBytes + figures.RecordBytes,
        };
    }

    /// <summary>The full figures of one pool.</summary>
    public static PoolReply Reply(NamedPool pool, PoolSnapshot? snapshot) => new()
    {
        Name = pool.Name,
        Id = pool.Id.Value,
        Kind = Kind(pool),
        PageSize = PageSize(pool),
        LimitBytes = pool.Options.LimitBytes,
        ReserveBytes = snapshot?.Options.ReserveBytes ?? 0,
        RefuseIncompressible = pool.Options.RefuseIncompressible,
        ForSwap = pool.ForSwap ? true : null,
        HoldsSwap = pool.HoldsSwap,
        Codec = pool.Options.Codec.Name(),
        Owner = pool.Owner.User,
        Group = pool.Owner.Group,
        Mode = pool.Mode,
        Figures = Of(snapshot?.Statistics ?? default),
    };

    private static string Kind(NamedPool pool) => pool.Options.Flags.HasFlag(PoolFlags.Persistent) ? "persistent" : "ephemeral";

    private static int PageSize(NamedPool pool) => pool.Options.Flags.PageSize();
}
