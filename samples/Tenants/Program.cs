using System.Diagnostics.Metrics;
using Tmem.Engine;

// One store for two tenants, each within its share, and what any collector of metrics sees of it:  Tenants
// Both cache far more than there is memory for. The store keeps three pages of the one for each page of the other, because their
// weights say so, and nobody has to agree on anything.
using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 16 << 20, MeterName = "example" });
var (large, small) = (engine.Client(new TmemClientId(1)), engine.Client(new TmemClientId(2)));
large.Configure(new ClientOptions { Weight = 300 });
small.Configure(new ClientOptions { Weight = 100 });
large.NewPool(new PoolOptions(PoolKind.Cache), out var ofLarge);
small.NewPool(new PoolOptions(PoolKind.Cache), out var ofSmall);

var random = new Random(1);
var page = new byte[TmemClient.PageSize];
for (uint i = 0; i < 20_000; i++)
{
    // Half of a page is noise, so it shrinks to half.
    random.NextBytes(page.AsSpan(0, page.Length / 2));
    large.TryPut(ofLarge, new ObjectId(1), i, page, out _);
    small.TryPut(ofSmall, new ObjectId(1), i, page, out _);
}
Console.WriteLine($"memory of the tenants: {large.Info().MemoryBytes >> 20} and {small.Info().MemoryBytes >> 20} MiB");

using var listener = new MeterListener
{
    InstrumentPublished = (instrument, listener) =>
    {
        if (instrument.Meter.Name == "Tmem.Engine") listener.EnableMeasurementEvents(instrument);
    },
};
listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
    Console.WriteLine($"{instrument.Name,-24}{string.Join(' ', tags.ToArray().Select(tag => tag.Value)),-16}{value,12} "
        + instrument.Unit));
listener.Start();
listener.RecordObservableInstruments();
