using Tmem.Engine.Region;
using Tmem.Fuse.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>With assertions on, a thread that takes the file system's locks out of order is detected.</summary>
public sealed class LockOrderTests
{
    private readonly NamespaceLock _names = new(new Lock());
    private readonly StripedLocks _files = new(LockRank.File, 4, bytes: 64);
    private readonly StripedLocks _pages = new(LockRank.Page, 4, bytes: 64);

    [Fact]
    public void From_the_outside_in_is_right_and_one_after_the_other_in_any_order()
    {
        int latch = 0;
        using (_names.Enter())
        using (_files.EnterShared(0))
        using (_pages.EnterExclusive(0))
        {
            SpinLatch.Enter(ref latch, LatchRank.Bucket);
            SpinLatch.Exit(ref latch);
        }
        using (_pages.EnterShared(0)) { }
        using (_files.EnterExclusive(0)) { }
        _files.GiveWay(0);
        using (_names.Enter()) { }
    }

#if DEBUG
    private const string Names = "rank Names", File = "rank File", Page = "rank Page";

    [Fact]
    public void Names_under_a_file_or_a_page_are_found_out()
    {
        OnAThread(() => { using var held = _files.EnterShared(0); Fails(Names, () => _names.Enter()); });
        OnAThread(() => { using var held = _pages.EnterExclusive(0); Fails(Names, () => _names.Enter()); });
    }

    [Fact]
    public void A_file_under_a_page_is_found_out_and_so_is_one_that_gives_way_under_it() => OnAThread(() =>
    {
        using var held = _pages.EnterShared(0);
        Fails(File, () => _files.EnterShared(0));
        Fails(File, () => _files.EnterExclusive(0));
        Fails(File, () => _files.GiveWay(0));
    });

    [Fact]
    public void Two_of_one_rank_are_found_out() => OnAThread(() =>
    {
        using var names = _names.Enter();
        Fails(Names, () => _names.Enter());
        using var file = _files.EnterShared(0);
        Fails(File, () => _files.EnterShared(16));
        using var page = _pages.EnterExclusive(0);
        Fails(Page, () => _pages.EnterShared(16));
    });

    [Fact]
    public void A_lock_under_a_latch_of_the_engine_is_found_out() => OnAThread(() =>
    {
        int latch = 0;
        SpinLatch.Enter(ref latch, LatchRank.Notes);
        Fails("under a latch", () => _names.Enter());
        Fails("under a latch", () => _files.EnterExclusive(0));
        Fails("under a latch", () => _pages.EnterShared(0));
    });

    [Fact]
    public void A_lock_that_another_thread_has_entered_is_not_left()
    {
        // Two ways to release a hold that belongs to another thread, and one to require a lock that nobody holds.
        var boxed = new StripedLocks(LockRank.File, 4, 64);
        OnAThread(() => boxed.EnterShared(0));
        OnAThread(() => Fails(File, () => new StripedLocks.SharedHold(boxed, 0).Dispose()));
        OnAThread(() => Fails(File, () => new StripedLocks.ExclusiveHold(boxed, 0).Dispose()));
        OnAThread(() => Fails(Names, () => LockOrder.Holds(LockRank.Names)));
    }

    [Fact]
    public void One_that_was_not_left_is_found_out_by_the_next() => OnAThread(() =>
    {
        _files.EnterShared(0);
        Fails(File, () => _files.EnterShared(0));
    });

    private static void Fails(string what, Action action) =>
        Assert.Contains(what, Assert.ThrowsAny<Exception>(action).Message, StringComparison.Ordinal);

    /// <summary>The record of a thread's locks ends with the thread.</summary>
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
