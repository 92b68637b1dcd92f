using System.Diagnostics.Metrics;

namespace Tmem.Engine;

/// <summary>
/// The engine's figures as instruments of System.Diagnostics.Metrics, so that OpenTelemetry, dotnet-counters and their like read
/// them. They are asked for when somebody listens, and cost nothing else. What each figure means, <see cref="EngineStatistics"/>
/// and <see cref="PoolStatistics"/> say.
/// </summary>
internal sealed class EngineMeter : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string Name = "Tmem.Engine";

    private readonly Meter _meter;
    private readonly Func<EngineStatistics> _statistics;

    /// <param name="store">The tag <c>store</c> of every measurement.</param>
    /// <param name="statistics">Reads the figures.</param>
    public EngineMeter(string store, Func<EngineStatistics> statistics)
    {
        _statistics = statistics;
        _meter = new Meter(Name, typeof(EngineMeter).Assembly.GetName().Version?.ToString(3), [new("store", store)]);
        Level("tmem.memory.capacity", "By", "The limit on real memory, metadata included.", now => now.CapacityBytes);
        Level("tmem.memory.used", "By", "Real memory in use, metadata included.", now => now.UsedBytes);
        Level("tmem.memory.metadata", "By", "Of the memory in use: what is no page.", now => now.MetadataBytes);
        Level("tmem.memory.reserved", "By", "What pools are guaranteed.", now => now.ReservedBytes);
        OfPools("tmem.pool.pages", "{page}", "Pages stored.", pool => pool.Pages);
        OfPools("tmem.pool.original", "By", "What the stored pages are when unpacked.", pool => pool.OriginalBytes);
        OfPools("tmem.pool.memory", "By", "Real memory of the pool's pages, index and records.",
            pool => pool.SlotBytes + pool.IndexBytes + pool.RecordBytes);
        Total("tmem.puts", "{put}", "Puts, by what became of them.", "outcome",
            ("stored", all => all.PutsStored), ("no_room", all => all.PutsNoRoom), ("reserved", all => all.PutsReserved),
            ("pool_limit", all => all.PutsPoolLimit), ("client_limit", all => all.PutsClientLimit),
            ("frozen", all => all.PutsFrozen), ("incompressible", all => all.PutsIncompressible));
        Total("tmem.gets", "{get}", "Gets, by what became of them.", "outcome",
            ("hit", all => all.GetHits), ("miss", all => all.GetMisses));
        Total("tmem.pages.gone", "{page}", "Pages that are no longer stored, by why.", "why",
            ("flushed", all => all.PageFlushesFound + all.PagesFlushed), ("evicted", all => all.Evictions));
        Total("tmem.pages.corrupt", "{page}", "Operations that met a damaged page.", null, ("", all => all.CorruptPages));
    }

    public void Dispose() => _meter.Dispose();

    private void Level(string name, string unit, string what, Func<EngineStatistics, long> figure) =>
        _meter.CreateObservableUpDownCounter(name, () => Measured(now => [new Measurement<long>(figure(now))]), unit, what);

    private void OfPools(string name, string unit, string what, Func<PoolStatistics, long> figure) =>
        _meter.CreateObservableUpDownCounter(name, () => Measured(now => now.Pools.Select(pool => new Measurement<long>(
            figure(pool.Statistics), new KeyValuePair<string, object?>("pool", pool.Id.Value)))), unit, what);

    private void Total(string name, string unit, string what, string? tag,
        params (string Value, Func<PoolStatistics, long> Figure)[] parts) =>
        _meter.CreateObservableCounter(name, () => Measured(now => parts.Select(part => tag is null
            ? new Measurement<long>(part.Figure(now.Total))
            : new Measurement<long>(part.Figure(now.Total), new KeyValuePair<string, object?>(tag, part.Value)))), unit, what);

    /// <summary>Nothing of an engine that is disposed of at this moment.</summary>
    private IEnumerable<Measurement<long>> Measured(Func<EngineStatistics, IEnumerable<Measurement<long>>> figures)
    {
        try
        {
            return figures(_statistics());
        }
        catch (ObjectDisposedException)
        {
            return [];
        }
    }
}
