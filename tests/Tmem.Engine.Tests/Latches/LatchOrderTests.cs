using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;
using RegionIndex = Tmem.Engine.Operations.PageIndex<
    Tmem.Engine.Index.RegionHost, Tmem.Engine.Pam.CompressedStore>;

namespace Tmem.Engine.Tests.Latches;

/// <summary>With assertions on, a thread that takes latches out of order is detected the first time.</summary>
public sealed class LatchOrderTests
{
    private int _outer;
    private int _inner;

    [Fact]
    public void A_held_latch_is_its_rank_and_a_free_one_0()
    {
        SpinLatch.Enter(ref _inner, LatchRank.Class);
        Assert.Equal((int)LatchRank.Class, _inner);
        Assert.False(SpinLatch.TryEnter(ref _inner, LatchRank.Class));
        SpinLatch.Exit(ref _inner);
        Assert.Equal(0, _inner);
    }

    [Fact]
    public void From_the_outside_in_is_right_and_several_buckets_at_once()
    {
        int second = 0;
        SpinLatch.Enter(ref _outer, LatchRank.Bucket);
        SpinLatch.Enter(ref second, LatchRank.Bucket);
        SpinLatch.Enter(ref _inner, LatchRank.Spans);
        SpinLatch.Exit(ref _inner);
        SpinLatch.Exit(ref _outer);
        SpinLatch.Exit(ref second);
        // No latch is left noted.
        SpinLatch.Enter(ref _outer, LatchRank.Reclaim);
        SpinLatch.Exit(ref _outer);
    }

#if DEBUG
    [Fact]
    public void The_other_way_round_is_found_out() => OnAThread(() =>
    {
        SpinLatch.Enter(ref _inner, LatchRank.Class);
        Assert.Contains("Bucket is waited for under one of rank Class",
            Assert.ThrowsAny<Exception>(() => SpinLatch.Enter(ref _outer, LatchRank.Bucket)).Message, StringComparison.Ordinal);
        // A try waits for nobody.
        Assert.True(SpinLatch.TryEnter(ref _outer, LatchRank.Bucket));
    });

    [Fact]
    public void A_second_one_of_a_rank_is_found_out() => OnAThread(() =>
    {
        SpinLatch.Enter(ref _inner, LatchRank.Spans);
        Assert.ThrowsAny<Exception>(() => SpinLatch.Enter(ref _outer, LatchRank.Spans));
    });

    [Fact]
    public void A_latch_that_another_thread_has_entered_is_not_left()
    {
        OnAThread(() => SpinLatch.Enter(ref _inner, LatchRank.Class));
        OnAThread(() => Assert.ThrowsAny<Exception>(() => SpinLatch.Exit(ref _inner)));
    }

    [Fact]
    public void What_needs_a_latch_and_has_none_is_found_out() => OnAThread(() =>
    {
        Assert.Contains("no latch of rank Bucket is held",
            Assert.ThrowsAny<Exception>(() => LatchOrder.AssertHeld(LatchRank.Bucket)).Message, StringComparison.Ordinal);
        SpinLatch.Enter(ref _outer, LatchRank.Bucket);
        LatchOrder.AssertHeld(LatchRank.Bucket);
    });

    /// <summary>Each operation asserts it on entry: a thread without the bucket's latch does not change the index.</summary>
    [Fact]
    public unsafe void A_page_is_not_taken_out_without_its_buckets_latch()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var id = Engines.Pool(client);
        Assert.Equal(TmemStatus.Ok, client.Put(id, new ObjectId(1), 0, Pages.Text(1)));
        var pool = engine.PoolTable.Find(id)!;
        var index = new RegionIndex(new RegionHost(engine.Slabs), new CompressedStore(engine.Slabs, engine.Dictionaries));
        var number = Pools.Pool.BucketOf(new ObjectId(1));
        Assert.ThrowsAny<Exception>(() => index.FindPage(pool.BucketAt(number), new ObjectId(1), 0, out _));
        Assert.ThrowsAny<Exception>(() => index.RemoveLatched(pool, ref pool.BucketAt(number), pool.BucketAt(number).Root, 0));
        Engines.AssertSound(engine);
    }

    /// <summary>The record of a thread's latches ends with the thread.</summary>
    private static void OnAThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() => failure = Record.Exception(action));
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }
#endif
}
