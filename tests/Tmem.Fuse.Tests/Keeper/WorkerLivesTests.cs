using System.Text;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>When the next worker is started: at once after a kill, later and later after deaths of its own.</summary>
public sealed class WorkerLivesTests
{
    private static readonly WorkerDeath s_killed = new() { Process = 1, Number = 9, BySignal = 1, ServedMilliseconds = 50 };
    private static readonly WorkerDeath s_faulted = new() { Process = 1, Number = 11, BySignal = 1, ServedMilliseconds = 50 };

    [Fact]
    public void Kills_cost_no_pause_however_many()
    {
        var lives = new WorkerLives(new MemoryAdvice(""), 0);
        for (var kill = 0; kill < 100; kill++)
        {
            lives.CountServing();
            lives.CountDeath(in s_killed, hadBegun: true, 0);
            Assert.Equal(0, lives.Delay);
            Assert.False(lives.AreShort);
        }
    }

    [Fact]
    public void Kills_before_serving_cost_a_pause_that_does_not_grow()
    {
        var lives = new WorkerLives(new MemoryAdvice(""), 0);
        for (var kill = 0; kill < 100; kill++)
        {
            lives.CountDeath(in s_killed, hadBegun: false, 0);
            Assert.Equal(100, lives.Delay);
            Assert.False(lives.IsTimeForLastWord);
        }
        // They do not shorten the delays that faults cause.
        lives.CountDeath(in s_faulted, hadBegun: false, 0);
        lives.CountDeath(in s_killed, hadBegun: false, 0);
        Assert.Equal(200, lives.Delay);
    }

    [Fact]
    public void Faults_soon_after_the_start_cost_ever_longer_pauses_and_a_last_word_though_each_had_served()
    {
        var lives = new WorkerLives(new MemoryAdvice(""), 0);
        var delays = new List<long>();
        var words = 0;
        for (var fault = 0; fault < 10; fault++)
        {
            lives.CountServing();
            lives.CountDeath(in s_faulted, hadBegun: true, 0);
            delays.Add(lives.Delay);
            if (lives.IsTimeForLastWord) words++;
        }
        Assert.Equal([0, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000], delays);
        Assert.Equal(1, words);
        // One that lasted does not inherit the delay; nor does one that was killed.
        lives.CountDeath(s_faulted with { ServedMilliseconds = 40_000 }, hadBegun: true, 0);
        Assert.Equal(0, lives.Delay);
    }

    [Fact]
    public void Faults_whose_request_was_refused_cost_no_more_than_the_ones_before_them()
    {
        var lives = new WorkerLives(new MemoryAdvice(""), 0);
        for (var request = 0; request < 10; request++)
        {
            lives.CountDeath(in s_faulted, hadBegun: true, 0);
            Assert.Equal(0, lives.Delay);
            lives.CountDeath(in s_faulted, hadBegun: false, 0);
            Assert.Equal(200, lives.Delay);
            lives.CountServing(causeIsGone: true);
        }
    }

    [Fact]
    public void Those_whom_the_out_of_memory_killer_ended_promise_more_of_them()
    {
        var lives = new WorkerLives(new MemoryAdvice("Raise the limit. "), 3);
        lives.CountServing();
        lives.CountDeath(in s_killed, hadBegun: true, 3);
        Assert.False(lives.AreShort);
        for (var kills = 4; kills < 6; kills++)
        {
            lives.CountServing();
            lives.CountDeath(in s_killed, hadBegun: true, kills);
            Assert.True(lives.AreShort);
        }
        Assert.Equal(200, lives.Delay);
        var line = new KeeperLine(0, 0);
        lives.AppendCause(ref line, "tmemctl upgrade");
        Assert.Contains("out-of-memory killer ends them. Raise the limit. ", Encoding.UTF8.GetString(line.Text),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nobody_counts_its_strikes_any_kill_may_be_one_of_them()
    {
        var lives = new WorkerLives(new MemoryAdvice(""), -1);
        for (var kill = 0; kill < 3; kill++) lives.CountDeath(in s_killed, hadBegun: false, -1);
        Assert.Equal(400, lives.Delay);
    }

    [Fact]
    public void Its_strikes_are_those_in_the_daemons_own_group()
    {
        var counter = Path.GetTempFileName();
        try
        {
            File.WriteAllText(counter, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
            var strikes = new OutOfMemoryCounter(counter);
            Assert.Equal(3, strikes.Read());
            File.WriteAllText(counter, "oom_kill_disable 0\nunder_oom 0\noom_kill 14\n");
            Assert.Equal(14, strikes.Read());
            File.WriteAllText(counter, "oom_kill_disable 0\n");
            Assert.Equal(0, strikes.Read());
            Assert.Equal(-1, new OutOfMemoryCounter(counter + ".none").Read());
        }
        finally
        {
            File.Delete(counter);
        }
    }

    [Fact]
    public void Deaths_before_serving_cost_pauses_until_one_serves()
    {
        var lives = new WorkerLives(new MemoryAdvice("Raise the limit. "), 0);
        lives.CountDeath(in s_faulted, hadBegun: false, 0);
        Assert.Equal(100, lives.Delay);
        lives.CountDeath(in s_faulted, hadBegun: false, 0);
        Assert.Equal(200, lives.Delay);
        lives.CountServing();
        Assert.Equal(0, lives.Delay);
        // Nobody was killed as out of memory, as far as the kernel reports.
        var line = new KeeperLine(0, 0);
        lives.AppendCause(ref line, "tmemctl upgrade");
        Assert.Contains("The log above says why they die; 'tmemctl upgrade' gives", Encoding.UTF8.GetString(line.Text),
            StringComparison.Ordinal);
    }
}
