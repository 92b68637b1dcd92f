namespace Tmem.Engine.Tests.Embedding;

/// <summary>Calls that wait for a disk, or walk everything, can be awaited and cancelled.</summary>
public sealed class LongCallTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tmem-long-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private TmemEngine Open() => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 16 * Engines.Mebi, RegionPath = Path.Combine(_directory, "region"), SyncInterval = TimeSpan.Zero,
    });

    private static PoolId Fill(TmemClient client, int pages)
    {
        var pool = Engines.Pool(client);
        for (uint i = 0; i < pages; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(i / 10), i, Pages.Random((int)i)));
        return pool;
    }

    private static CancellationToken Never => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sync_is_durable_when_its_task_ends()
    {
        using var engine = Open();
        Fill(engine.Client(new TmemClientId(1)), 100);
        var syncs = Enumerable.Range(0, 20).Select(_ => engine.SyncAsync(Never)).ToList();
        Assert.All(await Task.WhenAll(syncs), status => Assert.Equal(TmemStatus.Ok, status));
        Assert.InRange(engine.Statistics().Durability.Checkpoints, 1, 20);
        // File.Copy asks for a lock, which the engine holds.
        Repository.Run(_directory, "cp", "region", "copy");
        using var copy = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 16 * Engines.Mebi, RegionPath = Path.Combine(_directory, "copy"), ReadOnly = true,
        });
        Assert.Equal(100, copy.Statistics().Total.Pages);
    }

    [Fact]
    public async Task A_sync_that_nobody_waits_for_any_more_is_made_all_the_same()
    {
        using var engine = Open();
        Fill(engine.Client(new TmemClientId(1)), 10);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => engine.SyncAsync(new CancellationToken(canceled: true)));
        Assert.Equal(TmemStatus.Ok, await engine.SyncAsync(Never));
        var later = engine.SyncAsync(Never);
        engine.Dispose();
        Assert.Equal(TmemStatus.Ok, await later);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => engine.SyncAsync(Never));
    }

    [Fact]
    public async Task Without_a_file_a_sync_is_done()
    {
        using var engine = Engines.Anonymous();
        Assert.Equal(TmemStatus.Ok, await engine.SyncAsync(Never));
    }

    [Fact]
    public async Task A_client_is_saved_restored_and_verified_on_threads_of_their_own()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Fill(client, 200);
        using var whole = new MemoryStream();
        using var one = new MemoryStream();
        Assert.Equal(TransferStatus.Ok, (await client.SaveAsync(whole, Never)).Status);
        Assert.Equal(200, (await client.SavePoolAsync(pool, one, Never)).Pages);
        whole.Position = 0;
        var restored = await engine.Client(new TmemClientId(2)).RestoreAsync(whole, Never);
        Assert.Equal((TransferStatus.Ok, 200), (restored.Status, restored.Pages));
        var report = await engine.VerifyAsync(cancellation: Never);
        Engines.AssertClean(report);
        Assert.Equal(400, report.PagesChecked);
    }

    /// <summary>A stream that is cancelled half way: the call that writes to it notices at the next page.</summary>
    private sealed class CancellingStream(CancellationTokenSource source, int after) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (Position > after) source.Cancel();
            base.Write(buffer);
        }
    }

    private sealed class ReadCancellingStream(CancellationTokenSource source, byte[] bytes, int after) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer)
        {
            if (Position > after) source.Cancel();
            return base.Read(buffer);
        }
    }

    [Fact]
    public async Task A_save_that_is_given_up_is_no_save_and_a_restore_leaves_nothing()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        Fill(client, 200);
        using var saving = new CancellationTokenSource();
        using var part = new CancellingStream(saving, after: 100_000);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.SaveAsync(part, saving.Token));
        Assert.InRange(part.Length, 100_000, 200_000);
        part.Position = 0;
        Assert.Equal(TransferStatus.Truncated, engine.Client(new TmemClientId(2)).Restore(part, Never).Status);

        using var whole = new MemoryStream();
        client.Save(whole, Never);
        using var restoring = new CancellationTokenSource();
        using var given = new ReadCancellingStream(restoring, whole.ToArray(), after: 100_000);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            engine.Client(new TmemClientId(2)).RestoreAsync(given, restoring.Token));
        Assert.Empty(engine.Client(new TmemClientId(2)).Pools());
        Assert.Equal(200, engine.Statistics().Total.Pages);
        Engines.AssertSound(engine);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_verification_is_given_up(bool quiescent)
    {
        using var engine = Engines.Anonymous();
        Fill(engine.Client(new TmemClientId(1)), 100);
        var given = new CancellationToken(canceled: true);
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Verify(quiescent, given));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => engine.VerifyAsync(quiescent, given));
        Engines.AssertSound(engine);
    }
}
