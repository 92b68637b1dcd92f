using CsCheck;
using System.Runtime.InteropServices;
using Tmem.Engine.Records;

namespace Tmem.Engine.Tests;

/// <summary>What was stored is there again when a process attaches to the region, and nothing else is.</summary>
public sealed class AttachTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"tmem-attach-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void EverythingIsThereAgain() => Gen.Int.Sample(seed =>
    {
        File.Delete(_path);
        var random = new Random(seed);
        var model = new Dictionary<(int Pool, ulong Object, uint Index), int>();
        PoolId[] pools;
        using (var engine = Open())
        {
            Assert.False(engine.Attached);
            var client = engine.Client(new ClientId(1));
            pools = [Engines.Pool(client), Engines.Pool(client, PoolFlags.Shared), Engines.Pool(client, PoolFlags.Persistent, 1 << 22)];
            var gone = Engines.Pool(client);
            for (var i = 0; i < 2000; i++)
            {
                var key = (random.Next(3), (ulong)random.Next(30), (uint)(random.Next(4) == 0 ? random.Next() : random.Next(80)));
                if (random.Next(4) == 0)
                {
                    client.FlushPage(pools[key.Item1], new ObjectId(key.Item2), key.Item3);
                    model.Remove(key);
                }
                else
                {
                    Assert.Equal(TmemStatus.Ok, client.Put(pools[key.Item1], new ObjectId(key.Item2), key.Item3, Pages.Any(i)));
                    model[key] = i;
                }
                client.Put(gone, new ObjectId(1), (uint)i, Pages.Text(1));
            }
            client.DestroyPool(gone);
        }
        using (var engine = Open())
        {
            Assert.True(engine.Attached);
            Engines.AssertSound(engine);
            Assert.Equal(2, engine.Statistics().Generation);
            var client = engine.Client(new ClientId(1));
            Assert.Equal(pools, client.Pools());
            Assert.Equal(model.Count, engine.Statistics().Total.Pages);
            var page = new byte[Pages.Size];
            foreach (var (key, value) in model)
            {
                Assert.Equal(TmemStatus.Ok, client.Get(pools[key.Pool], new ObjectId(key.Object), key.Index, page));
                Assert.Equal(Pages.Any(value), page);
            }
            foreach (var pool in pools) client.DestroyPool(pool);
            Assert.Equal(0, engine.Statistics().PageSpanBytes);
            Engines.AssertSound(engine);
        }
    }, iter: 12, threads: 1);

    [Fact]
    public void WhatWasNotCommittedIsFreedOnAttach()
    {
        PoolId pool;
        using (var engine = Open())
        {
            var client = engine.Client(new ClientId(1));
            pool = Engines.Pool(client);
            client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
            // What a process that dies between the steps of a put leaves: taken slots that nothing refers to.
            engine.Slabs.Allocate(Region.SpanKind.PersistentPages, 40);
            engine.Slabs.Allocate(Region.SpanKind.Nodes, Region.SizeClasses.Node);
            engine.Slabs.Allocate(Region.SpanKind.Objects, Region.SizeClasses.Object);
            Assert.Equal(TmemStatus.Ok, engine.Records.Allocate(7, 100, out _));
        }
        using (var engine = Open())
        {
            Engines.AssertSound(engine);
            var statistics = engine.Statistics();
            Assert.Equal(2, statistics.Spans);
            Assert.Equal(1, statistics.Total.Pages);
        }
    }

    [Fact]
    public void RecordsComeBackCommittedOrNotAtAll()
    {
        RecordRef kept, uncommitted, freed;
        using (var engine = Open())
        {
            engine.Records.Allocate(3, 200, out kept);
            engine.Records.Bytes(kept).Fill(0xAB);
            engine.Records.Commit(kept);
            engine.Records.Allocate(3, 200, out uncommitted);
            engine.Records.Allocate(3, 200, out freed);
            engine.Records.Commit(freed);
            engine.Records.Free(freed);
            engine.Records.Root = kept;
        }
        using (var engine = Open())
        {
            var seen = new List<RecordRef>();
            engine.Records.ForEach(3, seen.Add);
            Assert.Equal([kept], seen);
            Assert.Equal(kept, engine.Records.Root);
            Assert.Equal(200, engine.Records.Bytes(kept).Length);
            Assert.True(engine.Records.Bytes(kept).IndexOfAnyExcept((byte)0xAB) < 0);
            Assert.True(engine.Records.IsRecord(kept, 3));
            Assert.False(engine.Records.IsRecord(kept, 4));
            Assert.False(engine.Records.IsRecord(uncommitted, 3));
            Assert.False(engine.Records.IsRecord(freed, 3));
            Assert.False(engine.Records.IsRecord(new RecordRef(ulong.MaxValue), 3));
            Assert.False(engine.Records.IsRecord(new RecordRef(1), 3));
        }
    }

    [Fact]
    public void AForeignFileIsRefusedAndUntouched()
    {
        var text = new string('x', 100_000);
        File.WriteAllText(_path, text);
        var error = Assert.Throws<RegionException>(Open);
        Assert.Contains(_path, error.Message, StringComparison.Ordinal);
        Assert.Contains("not a tmem region", error.Message, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(_path));
    }

    [Fact]
    public void ARegionOfAnotherVersionIsRefused()
    {
        Open().Dispose();
        Overwrite(8, 99);
        var error = Assert.Throws<RegionException>(Open);
        Assert.Contains("version 99", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARegionCutShortIsRefused()
    {
        Open().Dispose();
        using (var file = File.OpenWrite(_path)) file.SetLength(500_000);
        Assert.Contains("cut short", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADirectoryIsRefused()
    {
        var error = Assert.Throws<RegionException>(() => TmemEngine.Open(new EngineOptions { CapacityBytes = Engines.Mebi, RegionPath = Path.GetTempPath() }));
        Assert.Contains("region file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASecondProcessIsKeptOff()
    {
        using var engine = Open();
        Assert.Contains("in use", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARegionTakesACapacityUpToItsMaximum()
    {
        Open().Dispose();
        using (var engine = Open(64)) Assert.Equal(64 * Engines.Mebi, engine.Statistics().CapacityBytes);
        Assert.Contains("at most", Assert.Throws<RegionException>(() => Open(65)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedIndexIsRefusedByName()
    {
        using (var engine = Open())
        {
            var client = engine.Client(new ClientId(1));
            var pool = Engines.Pool(client);
            client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
        }
        // The first object lies at the start of the first object span; its page descriptor is its sixth word.
        var bytes = File.ReadAllBytes(_path);
        var words = MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan());
        var found = -1;
        for (var i = 0; i < words.Length - 8 && found < 0; i++)
        {
            if (words[i + 1] == 1 && words[i + 2] == 0 && words[i + 3] == 0 && (words[i] & 3) == 2 && words[i + 8] == 1) found = i;
        }
        Assert.True(found > 0);
        Overwrite((found + 5) * 8, 0x123457);
        Assert.Contains("damaged", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    private TmemEngine Open() => Open(16);

    private TmemEngine Open(int mebi) =>
        TmemEngine.Open(new EngineOptions { CapacityBytes = mebi * Engines.Mebi, RegionPath = _path, CompactInBackground = false });

    private void Overwrite(long offset, int value)
    {
        using var file = new FileStream(_path, FileMode.Open, FileAccess.Write);
        file.Seek(offset, SeekOrigin.Begin);
        file.Write(BitConverter.GetBytes(value));
    }
}
