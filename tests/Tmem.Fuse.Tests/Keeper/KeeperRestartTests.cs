using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>What the keeper does when a worker dies, and when it ends itself.</summary>
public sealed class KeeperRestartTests : IDisposable
{
    private readonly Keeping _keeping = new();

    private FakeKernel Kernel => _keeping.Kernel;

    public void Dispose() => _keeping.Dispose();

    [Fact]
    public void The_first_worker_serves_and_then_one_stands_by()
    {
        Assert.Equal(["empty the region", "start Worker 101 of 50"], _keeping.Turn());
        Assert.Equal(101, _keeping.Page.WorkerProcess);
        Assert.Empty(_keeping.Turn());
        _keeping.Last.Say(LinkMessage.Serving);
        Assert.Equal(["start Successor 102 of 50"], _keeping.Turn());
        Assert.Equal(102, _keeping.Page.StandbyProcess);
        Assert.Equal(Kernel.Now, _keeping.Page.ServesSince);
    }

    [Fact]
    public void Warnings_of_the_start_are_told_once_when_a_worker_serves()
    {
        using var keeping = new Keeping("too little memory", "not empty");
        keeping.Turn();
        Assert.Empty(keeping.Log);
        keeping.Last.Say(LinkMessage.Serving);
        keeping.Turn();
        Assert.Equal(["warning: too little memory", "warning: not empty"], keeping.Log);
        keeping.Last.DiesBy(NativeProcess.SIGKILL);
        keeping.Turn();
        Assert.Equal(2, keeping.Log.Count(line => line.StartsWith("warning: too", StringComparison.Ordinal)
            || line.StartsWith("warning: not", StringComparison.Ordinal)));
    }

    [Fact]
    public void Warnings_of_the_start_are_told_when_a_worker_is_tried_again_and_not_when_the_start_fails()
    {
        using var killed = new Keeping("too little memory");
        killed.Turn();
        killed.Last.DiesBy(NativeProcess.SIGKILL);
        killed.Turn();
        Assert.Equal("warning: too little memory", killed.Log[0]);
        using var failed = new Keeping("too little memory");
        failed.Turn();
        failed.Last.Ends(1);
        failed.Turn();
        Assert.Equal(1, failed.Keeper.Exit);
        Assert.Empty(failed.Log);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_first_worker_that_cannot_begin_is_the_end_with_its_exit_code(int code)
    {
        _keeping.Turn();
        _keeping.Last.Ends(code);
        Assert.Empty(_keeping.Turn());
        Assert.Equal(code, _keeping.Keeper.Exit);
        Assert.Empty(_keeping.Log);
    }

    [Fact]
    public void A_first_worker_that_is_killed_before_it_serves_is_replaced_and_the_region_begun_anew()
    {
        _keeping.Turn();
        _keeping.Last.DiesBy(NativeProcess.SIGKILL);
        Assert.Empty(_keeping.Turn());
        Assert.Null(_keeping.Keeper.Exit);
        Assert.Equal(["warning: worker 101 was killed by SIGKILL (the out-of-memory killer sends it too) before it served; the "
            + "next one in 100 ms, restart 1"], _keeping.Log);
        // Not sooner, and before that it has built nothing that counts.
        Assert.Empty(_keeping.Turn());
        Assert.Equal(100, Kernel.Patience);
        Kernel.Now += 100;
        Assert.Equal(["empty the region", "start Worker 102 of 50"], _keeping.Turn());
    }

    [Fact]
    public void One_that_had_served_and_exits_is_replaced_whatever_its_exit_code()
    {
        var (worker, _) = _keeping.Serve();
        worker.Ends(1);
        _keeping.Turn();
        Assert.Null(_keeping.Keeper.Exit);
        Assert.Equal(102, _keeping.Page.WorkerProcess);
    }

    [Fact]
    public void A_death_while_serving_has_the_one_that_stands_by_take_over()
    {
        var (worker, standby) = _keeping.Serve();
        Kernel.Now += 2_345;
        worker.DiesBy(NativeProcess.SIGKILL);
        Assert.Equal(["tell 102 TakeOver"], _keeping.Turn());
        Assert.Equal(["warning: worker 101 was killed by SIGKILL (the out-of-memory killer sends it too) after serving 2.345 s; "
            + "the one that stands by takes over, restart 1"], _keeping.Log);
        Assert.Equal((102, 0, 1), (_keeping.Page.WorkerProcess, _keeping.Page.StandbyProcess, _keeping.Page.Restarts));
        Assert.Equal((101, 2_345), (_keeping.Page.LastDeath.Process, _keeping.Page.LastDeath.ServedMilliseconds));
        standby.Say(LinkMessage.Serving);
        Assert.Equal(["start Successor 103 of 50"], _keeping.Turn());
    }

    [Fact]
    public void A_death_with_nobody_who_stands_by_has_another_started_at_once()
    {
        var (worker, standby) = _keeping.Serve();
        standby.DiesBy(NativeProcess.SIGKILL);
        worker.DiesBy(NativeProcess.SIGKILL);
        Assert.Empty(_keeping.Turn());
        Assert.EndsWith("starting another, restart 1", _keeping.Log.Single(), StringComparison.Ordinal);
        // The region holds what was stored.
        Assert.Equal(["start Worker 103 of 50"], _keeping.Turn());
    }

    [Fact]
    public void One_that_stands_by_and_dies_is_replaced_after_ten_seconds()
    {
        var (_, standby) = _keeping.Serve();
        Kernel.Now += 5_000;
        standby.Ends(1);
        _keeping.Turn();
        Assert.Equal(0, _keeping.Page.StandbyProcess);
        Kernel.Now += 9_999;
        Assert.Empty(_keeping.Turn());
        Assert.Equal(1, Kernel.Patience);
        Kernel.Now += 1;
        Assert.Equal(["start Successor 103 of 50"], _keeping.Turn());
        Assert.Empty(_keeping.Log);
    }

    [Fact]
    public void The_one_that_stands_by_takes_over_before_the_kernel_is_done_with_the_worker()
    {
        var (worker, standby) = _keeping.Serve();
        Kernel.Now += 1_000;
        worker.Say(LinkMessage.Listener, 77);
        standby.Say(LinkMessage.WorkerEnds);
        // Its last message counts.
        Assert.Equal(["listen on 77", "tell 102 Listener 9", "tell 102 TakeOver"], _keeping.Turn());
        standby.Say(LinkMessage.Serving);
        Kernel.Now += 50;
        worker.DiesBy(11);
        _keeping.Turn();
        Assert.Equal(["warning: worker 101 was killed by SIGSEGV after serving 1.050 s; the one that stood by has taken over, "
            + "restart 1"], _keeping.Log);
        Assert.True(worker.IsReaped);
        Assert.Equal(102, _keeping.Page.WorkerProcess);
    }

    [Fact]
    public void While_the_one_before_still_ends_the_next_death_is_waited_for()
    {
        var (_, second) = _keeping.Serve();
        second.Say(LinkMessage.WorkerEnds);
        _keeping.Turn();
        second.Say(LinkMessage.Serving);
        _keeping.Turn();
        var third = _keeping.Last;
        third.Say(LinkMessage.WorkerEnds);
        Assert.Empty(_keeping.Turn());
        second.DiesBy(NativeProcess.SIGKILL);
        Assert.Equal(["tell 103 TakeOver"], _keeping.Turn());
    }

    [Fact]
    public void After_a_fault_soon_after_serving_a_death_is_understood_before_anything_is_done()
    {
        var (worker, standby) = _keeping.Serve();
        worker.DiesBy(11);
        _keeping.Turn();
        standby.Say(LinkMessage.Serving);
        // No worker stands by for a while: it would compete for what is short.
        Assert.Empty(_keeping.Turn());
        Kernel.Now += 10_000;
        Assert.Equal(["start Successor 103 of 50"], _keeping.Turn());
        _keeping.Last.Say(LinkMessage.WorkerEnds);
        Assert.Empty(_keeping.Turn());
        standby.DiesBy(11);
        _keeping.Turn();
        Assert.EndsWith("the next one in 200 ms, restart 2", _keeping.Log[^1], StringComparison.Ordinal);
        // Once the time has come, the stand-by is that worker.
        Kernel.Now += 200;
        Assert.Equal(["tell 103 TakeOver"], _keeping.Turn());
    }

    [Fact]
    public void Faults_in_a_row_come_at_longer_and_longer_intervals_and_the_eighth_has_a_last_word()
    {
        _keeping.Serve().Standby.DiesBy(NativeProcess.SIGKILL);
        for (var fault = 1; fault <= 8; fault++)
        {
            Assert.DoesNotContain(_keeping.Log, line => line.StartsWith("error", StringComparison.Ordinal));
            var worker = Kernel.Of(new Watched { Process = _keeping.Page.WorkerProcess });
            worker.Say(LinkMessage.Serving);
            worker.DiesBy(11);
            _keeping.Turn();
            Kernel.Now += 10_000;
            _keeping.Turn();
        }
        Assert.Contains(_keeping.Log, line => line.EndsWith("the next one in 10000 ms, restart 8", StringComparison.Ordinal));
        Assert.Equal("error: 8 workers in a row died before they served, or soon after. /mnt/tmem, its pages and everybody who "
            + "waits for it are held, and a worker is tried at most every 10 s. The log above says why they die; 'tmemctl "
            + "upgrade --binary FILE' gives another program as soon as one serves. Or give the mount up: kill -9 "
            + $"{Environment.ProcessId}, then tmemctl recover --mount /mnt/tmem", _keeping.Log[^1]);
    }

    [Fact]
    public void A_worker_that_cannot_be_started_is_tried_again_later_and_later()
    {
        Kernel.StartError = Errno.ENOMEM;
        _keeping.Turn();
        Assert.Equal(100, Kernel.Patience);
        Kernel.Now += 100;
        _keeping.Turn();
        Assert.Equal(200, Kernel.Patience);
        Assert.Equal("error: a worker cannot be started: error 12; trying again", _keeping.Log[^1]);
        Kernel.StartError = Errno.Ok;
        Kernel.Now += 200;
        Assert.Equal(["empty the region", "start Worker 101 of 50"], _keeping.Turn());
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 0, 1)]
    [InlineData(9, 1, 1)]
    public void When_the_mount_is_gone_the_keeper_ends_with_its_worker(int number, int bySignal, int exit)
    {
        var (worker, standby) = _keeping.Serve();
        _keeping.Page.ConnectionOver = 1;
        // The stand-by may see its death first: it does not take over.
        standby.Say(LinkMessage.WorkerEnds);
        Assert.Empty(_keeping.Turn());
        if (bySignal == 0) worker.Ends(number);
        else worker.DiesBy(number);
        Assert.Empty(_keeping.Turn());
        Assert.Equal(exit, _keeping.Keeper.Exit);
        _keeping.Keeper.AwaitFamily();
        Assert.Equal(["kill 102 9", "await 102"], Kernel.Take());
        Assert.Empty(_keeping.Log);
    }

    [Fact]
    public void It_ends_after_all_others()
    {
        var (worker, standby) = _keeping.Serve();
        standby.Say(LinkMessage.WorkerEnds);
        _keeping.Turn();
        standby.Say(LinkMessage.Serving);
        _keeping.Turn();
        var (successor, _) = _keeping.Upgrade(standby);
        _keeping.Page.ConnectionOver = 1;
        standby.Ends(0);
        _keeping.Turn();
        Assert.Equal(0, _keeping.Keeper.Exit);
        _keeping.Keeper.AwaitFamily();
        Assert.Equal([$"kill {successor.Number} 9", $"await {successor.Number}", $"await {worker.Number}"], Kernel.Take());
    }

    [Fact]
    public void A_keeper_of_a_worker_that_lives_watches_it_and_knows_since_when_it_serves()
    {
        var worker = Kernel.Add(Role.Worker, FakeKernel.Program);
        (_keeping.Page.WorkerProcess, _keeping.Page.ServesSince) = (worker.Number, Kernel.Now - 7_000);
        _keeping.Keeper.Adopt(new Link(33));
        Assert.Equal(["tell 101 Watching"], Kernel.Take());
        Assert.Equal(["info: keeping /mnt/tmem, served by worker 101"], _keeping.Log);
        Assert.Equal(["start Successor 102 of 50"], _keeping.Turn());
        worker.Ends(1);
        Assert.Equal(["tell 102 TakeOver"], _keeping.Turn());
        Assert.Equal(7_000, _keeping.Page.LastDeath.ServedMilliseconds);
    }

    [Fact]
    public void A_keeper_whose_worker_died_before_it_was_watched_starts_another()
    {
        _keeping.Page.WorkerProcess = 99;
        _keeping.Page.RegionReady = 1;
        _keeping.Keeper.Adopt(new Link(33));
        Assert.Equal(["warning: worker 99 died before its new keeper watched it; starting another"], _keeping.Log);
        Assert.Equal(["close 33"], Kernel.Take());
        Assert.Equal(["start Worker 101 of 50"], _keeping.Turn());
        Assert.Equal(1, _keeping.Page.Restarts);
    }
}
