using Tmem.Fuse.Session;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>Whoever waits for moved pages is woken once for each so many, and not for less.</summary>
public sealed class MovedPagesTests
{
    private const int Page = 4096;

    [Fact]
    public void A_waiter_is_woken_for_each_so_many_pages()
    {
        using var moved = new MovedPages(8);
        var woken = 0;
        using var done = new SemaphoreSlim(0);
        var waiter = new Thread(() =>
        {
            for (var i = 0; i < 3; i++)
            {
                moved.Wait();
                Interlocked.Increment(ref woken);
                done.Release();
            }
        });
        waiter.Start();
        for (var round = 1; round <= 3; round++)
        {
            // Reads and writes count alike: seven pages are too few.
            for (var i = 0; i < 7; i++) moved.Add(i % 2 == 0 ? Page : 0, i % 2 == 0 ? 0 : Page);
            Assert.False(done.Wait(20));
            moved.Add(0, Page);
            Assert.True(done.Wait(TimeSpan.FromMinutes(1)));
            Assert.Equal(round, Volatile.Read(ref woken));
        }
        waiter.Join();
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        using var moved = new MovedPages(1);
        moved.Add(Page, 0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) moved.Add(Page, Page);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
