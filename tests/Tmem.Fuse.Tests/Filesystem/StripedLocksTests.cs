using Tmem.Fuse.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Who may be where at the same time, and who waits for whom.</summary>
public sealed class StripedLocksTests
{
    private readonly StripedLocks _locks = new(stripes: 16, bytes: 64);

    /// <summary>Whether a thread of its own gets in: true when it has been in and out.</summary>
    private static Task<bool> Entering(Action enter, Action exit) => Task.Factory.StartNew(() =>
    {
        enter();
        exit();
        return true;
    }, TaskCreationOptions.LongRunning);

    private Task<bool> Reader(int stripe) => Entering(() => _locks.EnterShared(stripe), () => _locks.ExitShared(stripe));

    private Task<bool> Writer(int stripe) => Entering(() => _locks.EnterExclusive(stripe), () => _locks.ExitExclusive(stripe));

    private static async Task Waits(Task<bool> other)
    {
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(other.IsCompleted);
    }

    [Fact]
    public async Task Readers_share_and_a_writer_has_it_alone()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        _locks.EnterShared(stripe);
        Assert.True(await Reader(stripe));
        var writer = Writer(stripe);
        await Waits(writer);
        _locks.ExitShared(stripe);
        Assert.True(await writer);

        _locks.EnterExclusive(stripe);
        var (reader, second) = (Reader(stripe), Writer(stripe));
        await Waits(reader);
        await Waits(second);
        _locks.ExitExclusive(stripe);
        Assert.True(await reader && await second);
    }

    [Fact]
    public async Task A_writer_that_waits_keeps_new_readers_out()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        _locks.EnterShared(stripe);
        var writer = Writer(stripe);
        await Waits(writer);
        var late = Reader(stripe);
        await Waits(late);
        _locks.ExitShared(stripe);
        Assert.True(await writer && await late);
    }

    [Fact]
    public async Task One_that_gives_way_lets_the_waiting_have_it_first()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        _locks.EnterExclusive(stripe);
        var other = Reader(stripe);
        await Waits(other);
        _locks.ExitExclusive(stripe);
        _locks.GiveWay(stripe);
        // Whoever waits sleeps a millisecond at most between its looks; giving way ends after some hundred of them.
        Assert.True(await other.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        // With nobody waiting it returns at once.
        _locks.GiveWay(stripe);
    }

    [Fact]
    public async Task Files_of_two_pools_never_share_a_lock()
    {
        var seen = new HashSet<int>();
        for (uint pool = 0; pool < 1024; pool++)
        {
            var own = new HashSet<int>();
            for (ulong key = 0; key < 500; key++) own.Add(_locks.Stripe(pool, key, key * 7));
            Assert.Equal(16, own.Count);
            foreach (var stripe in own) Assert.True(seen.Add(stripe), $"pool {pool} shares lock {stripe}");
        }
        _locks.EnterExclusive(_locks.Stripe(1, 5, 5));
        Assert.True(await Writer(_locks.Stripe(2, 5, 5)));
    }

    [Fact]
    public void A_count_kept_under_it_is_right_with_writers_and_readers_at_once()
    {
        const int rounds = 20_000;
        var stripe = _locks.Stripe(3, 1, 1);
        long first = 0, second = 0, torn = 0;
        Parallel.For(0, 4, thread =>
        {
            for (var round = 0; round < rounds; round++)
            {
                if (thread < 2)
                {
                    _locks.EnterExclusive(stripe);
                    first++;
                    second++;
                    _locks.ExitExclusive(stripe);
                }
                else
                {
                    _locks.EnterShared(stripe);
                    if (first != second) Interlocked.Increment(ref torn);
                    _locks.ExitShared(stripe);
                }
            }
        });
        Assert.Equal((2 * rounds, 2 * rounds, 0), (first, second, torn));
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new StripedLocks(3, 64));
        Assert.Throws<ArgumentOutOfRangeException>(() => new StripedLocks(4, 4));
    }
}
