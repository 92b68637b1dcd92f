using Tmem.Fuse.Session;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>Who leads: one thread at a time, each in turn, none after the end.</summary>
public sealed class BatonTests
{
    private readonly Baton _baton = new();

    private Task<bool> Taking() => Task.Factory.StartNew(_baton.Take, TaskCreationOptions.LongRunning);

    private static async Task Waits(Task<bool> other)
    {
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(other.IsCompleted);
    }

    [Fact]
    public async Task One_leads_until_it_passes()
    {
        Assert.True(_baton.Take());
        var follower = Taking();
        await Waits(follower);
        _baton.Pass();
        Assert.True(await follower);
    }

    [Fact]
    public async Task A_pass_wakes_one_and_no_more()
    {
        Assert.True(_baton.Take());
        Task<bool>[] followers = [Taking(), Taking(), Taking()];
        await Waits(followers[0]);
        for (var left = 3; left > 0; left--)
        {
            _baton.Pass();
            var leader = await Task.WhenAny(followers);
            Assert.True(await leader);
            followers = [.. followers.Where(follower => follower != leader)];
            foreach (var follower in followers) await Waits(follower);
        }
    }

    [Fact]
    public void One_that_nobody_waits_for_is_taken_again()
    {
        for (var i = 0; i < 1000; i++)
        {
            Assert.True(_baton.Take());
            _baton.Pass();
        }
    }

    [Fact]
    public async Task The_end_sends_everybody_away_the_leaders_pass_too()
    {
        Assert.True(_baton.Take());
        var (one, two) = (Taking(), Taking());
        await Waits(one);
        _baton.End();
        Assert.False(await one || await two);
        _baton.Pass();
        Assert.False(_baton.Take());
    }

    [Fact]
    public void With_many_threads_never_two_lead_and_all_have_their_turn()
    {
        int leading = 0, most = 0;
        var turns = new int[4];
        Parallel.For(0, turns.Length, new ParallelOptions { MaxDegreeOfParallelism = turns.Length }, thread =>
        {
            while (turns[thread] < 5000 && _baton.Take())
            {
                most = Math.Max(most, Interlocked.Increment(ref leading));
                turns[thread]++;
                Interlocked.Decrement(ref leading);
                _baton.Pass();
            }
        });
        Assert.Equal(1, most);
        Assert.All(turns, count => Assert.Equal(5000, count));
    }
}
