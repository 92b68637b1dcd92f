using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Tmem.Engine;

/// <summary>
/// The engine's figures as instruments of System.Diagnostics.Metrics, for OpenTelemetry, dotnet-counters and the like. They are
/// read only while somebody listens, and cost nothing otherwise. <see cref="EngineStatistics"/> and <see cref="PoolStatistics"/>
/// define each figure.
/// </summary>
internal sealed class EngineMeter : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string Name = "Tmem.Engine";

    private readonly Meter _meter;
    private readonly Func<EngineStatistics> _statistics;

    private static readonly TimeSpan s_collection = TimeSpan.FromMilliseconds(50);
    private readonly Lock _reading = new();
    private EngineStatistics? _latest;
    private long _read;
    private int _readings;

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
        foreach (var total in Totals) Create(total);
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>Event counts over all pools: one instrument a row, and one value of its tag for each sum of counts.</summary>
    internal static readonly (string Name, string Unit, string What, string? Tag, (string Value, Count[] Sum)[] Parts)[] Totals =
    [
        ("tmem.puts", "{put}", "Puts, by what became of them.", "outcome",
        [
            ("stored", [Count.PutsStored]), ("no_room", [Count.PutsNoRoom]), ("reserved", [Count.PutsReserved]),
            ("pool_limit", [Count.PutsPoolLimit]), ("client_limit", [Count.PutsClientLimit]), ("frozen", [Count.PutsFrozen]),
            ("incompressible", [Count.PutsIncompressible]),
        ]),
        ("tmem.gets", "{get}", "Gets, by what became of them.", "outcome",
            [("hit", [Count.GetHits]), ("miss", [Count.GetMisses])]),
        ("tmem.pages.gone", "{page}", "Pages that are no longer stored, by why.", "why",
            [("flushed", [Count.PageFlushesFound, Count.PagesFlushed]), ("evicted", [Count.Evictions])]),
        ("tmem.pages.recompressed", "{page}", "Pages whose form recompression has changed.", "to",
            [("smaller", [Count.PagesRecompressed]), ("faster", [Count.PagesWarmed])]),
        ("tmem.recompression.won", "By", "Real memory that recompression has won.", null, [("", [Count.RecompressionBytes])]),
        ("tmem.pages.corrupt", "{page}", "Operations that met a damaged page.", null, [("", [Count.CorruptPages])]),
    ];

    private void Level(string name, string unit, string what, Func<EngineStatistics, long> figure) =>
        _meter.CreateObservableUpDownCounter(name, Measured(now => [new Measurement<long>(figure(now))]), unit, what);

    private void OfPools(string name, string unit, string what, Func<PoolStatistics, long> figure) =>
        _meter.CreateObservableUpDownCounter(name, Measured(now => now.Pools.Select(pool => new Measurement<long>(
            figure(pool.Statistics), new KeyValuePair<string, object?>("pool", pool.Id.Value)))), unit, what);

    private void Create((string Name, string Unit, string What, string? Tag, (string Value, Count[] Sum)[] Parts) total) =>
        _meter.CreateObservableCounter(total.Name, Measured(now => total.Parts.Select(part => new Measurement<long>(
            part.Sum.Sum(count => now.Total[count]),
            total.Tag is null ? [] : [new KeyValuePair<string, object?>(total.Tag, part.Value)]))), total.Unit, total.What);

    /// <summary>
    /// One reading serves all instruments of a collection. An instrument that has had the reading, or that asks later than a
    /// collection takes, gets a new one. Yields nothing once the engine is disposed of.
    /// </summary>
    private Func<IEnumerable<Measurement<long>>> Measured(Func<EngineStatistics, IEnumerable<Measurement<long>>> figures)
    {
        var had = 0;
        return () =>
        {
            try
            {
                lock (_reading)
                {
                    if (had == _readings || Stopwatch.GetElapsedTime(_read) > s_collection)
                    {
                        _latest = _statistics();
                        _read = Stopwatch.GetTimestamp();
                        _readings++;
                    }
                    had = _readings;
                    return figures(_latest!);
                }
            }
            catch (ObjectDisposedException)
            {
                return [];
            }
        };
    }
}
