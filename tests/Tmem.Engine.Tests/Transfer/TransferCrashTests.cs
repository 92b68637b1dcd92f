using Tmem.Engine.Format;

namespace Tmem.Engine.Tests.Transfer;

/// <summary>A process that dies while it restores leaves nothing of the restore, wherever it was.</summary>
public sealed class TransferCrashTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-transfer-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose()
    {
        File.Delete(_path);
        File.Delete(_path + ".copy");
    }

    [Fact]
    public void A_region_as_it_is_at_any_read_of_a_restore_holds_nothing_of_it()
    {
        var saved = Saves.Small(shared: true);
        var looks = 0;
        using var engine = Open(_path);
        engine.Authorise(new TmemClientId(1), new SharedId(3, 4));
        var client = engine.Client(new TmemClientId(1));
        var kept = Engines.Pool(client);
        client.Put(kept, new ObjectId(1), 0, Pages.Text(1));
        using var stream = new WatchedStream(saved, () =>
        {
            looks++;
            // The file now holds what a process killed at this moment would leave.
            CopyRegion(engine);
            using (var copy = Open(_path + ".copy")) CheckNothingCame(copy, kept);
            // Nor is the client, after another attach, a member of the pool that another has made with that id since.
            using var again = Open(_path + ".copy");
            Assert.Equal(TmemStatus.ForeignClient,
                again.Client(new TmemClientId(1)).DestroyPool(again.Client(new TmemClientId(2)).Pools().Single()));
        });
        Assert.Equal(TransferStatus.Ok, client.Restore(stream).Status);
        Assert.True(looks > 10);
        CopyRegion(engine);
        using var after = Open(_path + ".copy");
        Engines.AssertSound(after);
        Assert.Equal(client.Pools(), after.Client(new TmemClientId(1)).Pools());
        Assert.Equal(6, after.Statistics().Total.Pages);
    }

    [Theory]
    [InlineData(1UL << 4, 0)]
    [InlineData(0UL, 2)]
    [InlineData(1UL << 3, 2)]
    public unsafe void One_bit_decides_for_all_pools_of_a_restore(ulong open, int expected)
    {
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            PoolId[] pools = [Engines.Pool(client), Engines.Pool(client)];
            foreach (var pool in pools)
            {
                client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
                ((PoolEntry*)(engine.Memory.Start + RegionLayout.PoolTableOffset))[pool.Value & 0x3ff].Restore = 5;
            }
            ((Superblock*)engine.Memory.Start)->OpenRestores = open;
        }
        for (var again = 0; again < 2; again++)
        {
            using var engine = Open(_path);
            Engines.AssertSound(engine);
            Assert.Equal(expected, engine.Statistics().Pools.Count);
            Assert.Equal(expected, engine.Statistics().Total.Pages);
            Assert.Equal(0UL, ((Superblock*)engine.Memory.Start)->OpenRestores);
        }
    }

    private static void CheckNothingCame(TmemEngine copy, PoolId kept)
    {
        Engines.AssertSound(copy);
        Assert.Equal(kept, Assert.Single(copy.Statistics().Pools).Id);
        Assert.Equal(1, copy.Statistics().Total.Pages);
        copy.Authorise(new TmemClientId(2), new SharedId(3, 4));
        Assert.Equal(TmemStatus.Ok, copy.Client(new TmemClientId(2))
            .NewPool(new PoolOptions(PoolFlags.Shared, SharedId: new SharedId(3, 4)), out _));
    }

    private unsafe void CopyRegion(TmemEngine engine)
    {
        // Through the mapping, since the file itself is locked; and only the used part, a tenth of its length.
        var spans = engine.Slabs.Spans;
        using var to = File.Create(_path + ".copy");
        to.SetLength(engine.Memory.Length);
        Copy(0, (long)spans.PlaceOf(0));
        for (uint span = 0; span < spans.HighWater; span++)
            Copy((long)spans.PlaceOf(span), spans.Table[span].Present * (long)RegionLayout.PageSize);

        void Copy(long at, long length)
        {
            to.Position = at;
            to.Write(new ReadOnlySpan<byte>(engine.Memory.Start + at, (int)length));
        }
    }

    private static TmemEngine Open(string path) =>
        TmemEngine.Open(new EngineOptions { CapacityBytes = 4 * Engines.Mebi, RegionPath = path });
}
