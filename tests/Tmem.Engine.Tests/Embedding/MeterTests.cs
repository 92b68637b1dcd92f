using System.Diagnostics.Metrics;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The engine's figures, as a listener of System.Diagnostics.Metrics reads them.</summary>
public sealed class MeterTests
{
    private readonly Dictionary<string, long> _read = [];

    private void Listen(string store)
    {
        _read.Clear();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Tmem.Engine"
                    && instrument.Meter.Tags!.Any(tag => tag.Key == "store" && (string?)tag.Value == store))
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var name = instrument.Name;
            foreach (var (key, tag) in tags) name += $" {key}={tag}";
            _read.Add(name, value);
        });
        listener.Start();
        listener.RecordObservableInstruments();
    }

    [Fact]
    public void Figures_are_those_of_the_statistics()
    {
        using var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 8 * Engines.Mebi, MeterName = "figures", CompactInBackground = false,
        });
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var small = Engines.Pool(client, PoolFlags.Persistent, limit: 4096);
        for (uint i = 0; i < 10; i++) client.Put(pool, new ObjectId(1), i, Pages.Random((int)i));
        client.Put(small, new ObjectId(1), 0, Pages.Random(1));
        client.FlushPage(pool, new ObjectId(1), 0);
        var page = new byte[TmemClient.PageSize];
        client.Get(pool, new ObjectId(1), 1, page);
        client.Get(pool, new ObjectId(1), 0, page);
        client.Get(pool, new ObjectId(1), 0, page);

        Listen("figures");
        var now = engine.Statistics();
        Assert.Equal(now.CapacityBytes, _read["tmem.memory.capacity"]);
        Assert.Equal(now.UsedBytes, _read["tmem.memory.used"]);
        Assert.Equal(now.MetadataBytes, _read["tmem.memory.metadata"]);
        Assert.Equal(0, _read["tmem.memory.reserved"]);
        Assert.Equal(9, _read[$"tmem.pool.pages pool={pool.Value}"]);
        Assert.Equal(0, _read[$"tmem.pool.pages pool={small.Value}"]);
        Assert.Equal(9 * 4096, _read[$"tmem.pool.original pool={pool.Value}"]);
        Assert.InRange(_read[$"tmem.pool.memory pool={pool.Value}"], 9 * 4096, 12 * 4096);
        Assert.Equal(10, _read["tmem.puts outcome=stored"]);
        Assert.Equal(1, _read["tmem.puts outcome=pool_limit"]);
        Assert.Equal(1, _read["tmem.gets outcome=hit"]);
        Assert.Equal(2, _read["tmem.gets outcome=miss"]);
        Assert.Equal(1, _read["tmem.pages.gone why=flushed"]);
        Assert.Equal(0, _read["tmem.pages.corrupt"]);
    }

    [Fact]
    public void A_collection_reads_the_statistics_once()
    {
        var reads = 0;
        using var engine = Engines.Anonymous();
        using var meter = new EngineMeter("once", () =>
        {
            reads++;
            return engine.Statistics();
        });
        Listen("once");
        var instruments = _read.Count;
        // On a slow machine a collection may take longer than a reading is cached; it then takes another.
        Assert.InRange(reads, 1, instruments / 2);
        var before = reads;
        var client = engine.Client(new TmemClientId(1));
        client.Put(Engines.Pool(client), new ObjectId(1), 0, Pages.Text(1));
        Listen("once");
        Assert.InRange(reads, before + 1, before + instruments / 2);
        Assert.Equal(1, _read["tmem.puts outcome=stored"]);
    }

    [Fact]
    public void Two_stores_are_told_apart_and_one_that_is_disposed_of_is_gone()
    {
        using var one = TmemEngine.Open(new EngineOptions { CapacityBytes = 2 * Engines.Mebi, MeterName = "one" });
        using var two = TmemEngine.Open(new EngineOptions { CapacityBytes = 3 * Engines.Mebi, MeterName = "two" });
        Listen("one");
        Assert.Equal(2 * Engines.Mebi, _read["tmem.memory.capacity"]);
        Listen("two");
        Assert.Equal(3 * Engines.Mebi, _read["tmem.memory.capacity"]);
        one.Dispose();
        Listen("one");
        Assert.Empty(_read);
    }

    [Fact]
    public void A_store_without_a_name_has_no_meter()
    {
        var published = 0;
        using var engine = Engines.Anonymous();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == "Tmem.Engine" && instrument.Meter.Tags!.All(tag => tag.Value is not string))
                    published++;
            },
        };
        listener.Start();
        Assert.Equal(0, published);
    }
}
