using Tmem.Fuse.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Which threads may hold a lock at the same time, and which wait for which.</summary>
public sealed class StripedLocksTests
{
    private readonly StripedLocks _locks = new(LockRank.File, stripes: 16, bytes: 64);

    /// <summary>A thread that enters and leaves; no lock is held across an await, because a lock belongs to its thread.</summary>
    private static Thread Entering(Action pass)
    {
        var thread = new Thread(() => pass());
        thread.Start();
        return thread;
    }

    private Thread Reader(int stripe) => Entering(() => _locks.EnterShared(stripe).Dispose());

    private Thread Writer(int stripe) => Entering(() => _locks.EnterExclusive(stripe).Dispose());

    private static void Waits(Thread other) => Assert.False(other.Join(50));

    private static void GetsIn(Thread other) => Assert.True(other.Join(TimeSpan.FromSeconds(30)));

    [Fact]
    public void Readers_share_and_a_writer_has_it_alone()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        Thread writer, reader, second;
        using (_locks.EnterShared(stripe))
        {
            GetsIn(Reader(stripe));
            Waits(writer = Writer(stripe));
        }
        GetsIn(writer);

        using (_locks.EnterExclusive(stripe))
        {
            Waits(reader = Reader(stripe));
            Waits(second = Writer(stripe));
        }
        GetsIn(reader);
        GetsIn(second);
    }

    [Fact]
    public void A_writer_that_waits_keeps_new_readers_out()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        Thread writer, late;
        using (_locks.EnterShared(stripe))
        {
            Waits(writer = Writer(stripe));
            Waits(late = Reader(stripe));
        }
        GetsIn(writer);
        GetsIn(late);
    }

    [Fact]
    public void One_that_gives_way_lets_the_waiting_have_it_first()
    {
        var stripe = _locks.Stripe(1, 2, 3);
        Thread other;
        using (_locks.EnterExclusive(stripe)) Waits(other = Reader(stripe));
        _locks.GiveWay(stripe);
        // A waiting thread sleeps a millisecond at most between its tries; giving way ends after some hundred of them.
        GetsIn(other);
        // Without a waiting thread it returns at once.
        _locks.GiveWay(stripe);
    }

    [Fact]
    public void A_hold_that_holds_nothing_is_disposed_of_like_any_other()
    {
        default(StripedLocks.SharedHold).Dispose();
        GetsIn(Writer(_locks.Stripe(1, 2, 3)));
    }

    [Fact]
    public void Files_of_two_pools_never_share_a_lock()
    {
        var seen = new HashSet<int>();
        for (uint pool = 0; pool < 1024; pool++)
        {
            var own = new HashSet<int>();
            for (ulong key = 0; key < 500; key++) own.Add(_locks.Stripe(pool, key, key * 7));
            Assert.Equal(16, own.Count);
            foreach (var stripe in own) Assert.True(seen.Add(stripe), $"pool {pool} shares lock {stripe}");
        }
        using var held = _locks.EnterExclusive(_locks.Stripe(1, 5, 5));
        GetsIn(Writer(_locks.Stripe(2, 5, 5)));
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
                    using var held = _locks.EnterExclusive(stripe);
                    first++;
                    second++;
                }
                else
                {
                    using var held = _locks.EnterShared(stripe);
                    if (first != second) Interlocked.Increment(ref torn);
                }
            }
        });
        Assert.Equal((2 * rounds, 2 * rounds, 0), (first, second, torn));
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new StripedLocks(LockRank.File, 3, 64));
        Assert.Throws<ArgumentOutOfRangeException>(() => new StripedLocks(LockRank.File, 4, 4));
    }
}
