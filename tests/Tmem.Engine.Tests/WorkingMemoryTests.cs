using Tmem.Engine.Codec;

namespace Tmem.Engine.Tests;

/// <summary>
/// The memory that the process keeps beside the store for pages in transit: bounded by the threads alive at one time, not by all
/// there ever were.
/// </summary>
[Collection(WholeProcess.Name)]
public sealed class WorkingMemoryTests
{
    private const int AtOnce = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Short_threads_leave_no_memory_behind(bool prepared)
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal(TmemStatus.Ok, client.NewPool(new PoolOptions(PoolFlags.Persistent, Codec: TmemCodec.Zstd), out var pool));
        RunThreads(AtOnce, () => Use(engine, client, pool, prepared));
        var before = engine.Statistics().WorkingBytes;
        var contexts = ZstdContexts.Count;
        for (var round = 0; round < 100; round++) RunThreads(AtOnce, () => Use(engine, client, pool, prepared));
        // Without any collection: each thread left them to the next.
        Assert.InRange(ZstdContexts.Count, 1, contexts + ZstdContexts.MostKept);
        Assert.InRange(engine.Statistics().WorkingBytes, 1,
            before + ZstdContexts.MostKept * (before / Math.Max(1, contexts)) + Engines.Mebi);
    }

    [Fact]
    public void More_threads_at_once_than_are_kept_each_have_contexts_and_the_rest_is_freed()
    {
        var threads = 3 * ZstdContexts.MostKept;
        using var all = new Barrier(threads);
        RunThreads(threads, () =>
        {
            var mine = ZstdContexts.Take();
            all.SignalAndWait();
            mine.GiveBack();
        });
        Assert.InRange(ZstdContexts.Count, 1, ZstdContexts.MostKept + AtOnce + 8);
    }

    private static void Use(TmemEngine engine, TmemClient client, PoolId pool, bool prepared)
    {
        if (prepared) engine.PrepareThread(codec: TmemCodec.Zstd);
        var id = new ObjectId((ulong)Environment.CurrentManagedThreadId);
        Assert.Equal(TmemStatus.Ok, client.Put(pool, id, 1, Pages.Text(1)));
        var page = new byte[Pages.Size];
        Assert.Equal(TmemStatus.Ok, client.Get(pool, id, 1, page));
        Assert.Equal(Pages.Text(1), page);
    }

    private static void RunThreads(int count, Action work)
    {
        var failures = new List<Exception>();
        var threads = Enumerable.Range(0, count).Select(_ => new Thread(() =>
        {
            try { work(); }
            catch (Exception failure) { lock (failures) failures.Add(failure); }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
    }
}
