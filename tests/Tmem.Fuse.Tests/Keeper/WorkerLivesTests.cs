using System.Text;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>How soon the next worker comes: at once after a kill, ever later after deaths of its own.</summary>
public sealed class WorkerLivesTests
{
    private static readonly WorkerDeath s_killed = new() { Process = 1, Number = 9, BySignal = 1, ServedMilliseconds = 50 };
    private static readonly WorkerDeath s_faulted = new() { Process = 1, Number = 11, BySignal = 1, ServedMilliseconds = 50 };

    [Fact]
    public void Kills_cost_no_pause_however_many()
    {
        var lives = new WorkerLives(new MemoryAdvice(""));
        for (var kill = 0; kill < 100; kill++)
        {
            lives.CountServing();
            lives.CountDeath(in s_killed, hadBegun: true);
            Assert.Equal(0, lives.Delay);
            Assert.False(lives.AreShort);
        }
    }

    [Fact]
    public void Kills_before_serving_cost_a_pause_that_does_not_grow()
    {
        var lives = new WorkerLives(new MemoryAdvice(""));
        for (var kill = 0; kill < 100; kill++)
        {
            lives.CountDeath(in s_killed, hadBegun: false);
            Assert.Equal(100, lives.Delay);
            Assert.False(lives.IsTimeForLastWord);
        }
        // They do not make those shorter that are due to faults.
        lives.CountDeath(in s_faulted, hadBegun: false);
        lives.CountDeath(in s_killed, hadBegun: false);
        Assert.Equal(200, lives.Delay);
    }

    [Fact]
    public void Faults_soon_after_the_start_cost_ever_longer_pauses_and_a_last_word_though_each_had_served()
    {
        var lives = new WorkerLives(new MemoryAdvice(""));
        var delays = new List<long>();
        var words = 0;
        for (var fault = 0; fault < 10; fault++)
        {
            lives.CountServing();
            lives.CountDeath(in s_faulted, hadBegun: true);
            delays.Add(lives.Delay);
            if (lives.IsTimeForLastWord) words++;
        }
        Assert.Equal([0, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000], delays);
        Assert.Equal(1, words);
        // One that lasted has not what they had; nor has one that somebody killed.
        lives.CountDeath(s_faulted with { ServedMilliseconds = 40_000 }, hadBegun: true);
        Assert.Equal(0, lives.Delay);
    }

    [Fact]
    public void Faults_whose_request_was_refused_cost_no_more_than_the_ones_before_them()
    {
        var lives = new WorkerLives(new MemoryAdvice(""));
        for (var request = 0; request < 10; request++)
        {
            lives.CountDeath(in s_faulted, hadBegun: true);
            Assert.Equal(0, lives.Delay);
            lives.CountDeath(in s_faulted, hadBegun: false);
            Assert.Equal(200, lives.Delay);
            lives.CountServing(causeIsGone: true);
        }
    }

    [Fact]
    public void Whom_the_out_of_memory_killer_ends_is_counted_by_the_daemons_own_group()
    {
        var counter = Path.GetTempFileName();
        try
        {
            File.WriteAllText(counter, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
            var lives = new WorkerLives(new MemoryAdvice("Raise the limit. ", counter));
            lives.CountServing();
            lives.CountDeath(in s_killed, hadBegun: true);
            Assert.False(lives.AreShort);
            for (var kill = 4; kill < 6; kill++)
            {
                File.WriteAllText(counter, $"oom_kill_disable 0\nunder_oom 0\noom_kill {kill}\n");
                lives.CountServing();
                lives.CountDeath(in s_killed, hadBegun: true);
                Assert.True(lives.AreShort);
            }
            Assert.Equal(200, lives.Delay);
            var line = new KeeperLine(0, 0);
            lives.AppendCause(ref line, "tmemctl upgrade");
            Assert.Contains("out-of-memory killer ends them. Raise the limit. ", Encoding.UTF8.GetString(line.Text),
                StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(counter);
        }
    }

    [Fact]
    public void Deaths_before_serving_cost_pauses_until_one_serves()
    {
        var lives = new WorkerLives(new MemoryAdvice("Raise the limit. "));
        lives.CountDeath(in s_faulted, hadBegun: false);
        Assert.Equal(100, lives.Delay);
        lives.CountDeath(in s_faulted, hadBegun: false);
        Assert.Equal(200, lives.Delay);
        lives.CountServing();
        Assert.Equal(0, lives.Delay);
        // Nobody was killed for want of memory, as far as the kernel tells.
        var line = new KeeperLine(0, 0);
        lives.AppendCause(ref line, "tmemctl upgrade");
        Assert.Contains("The log above says why they die; 'tmemctl upgrade' gives", Encoding.UTF8.GetString(line.Text),
            StringComparison.Ordinal);
    }
}
