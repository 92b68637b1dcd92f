using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>What a supervisor is told and given to hold, whatever it can take at the moment.</summary>
public sealed class KeeperSupervisionTests : IDisposable
{
    private readonly Keeping _keeping = new();

    public KeeperSupervisionTests()
    {
        Kernel.Told = [];
        (_keeping.Page.RegionFile, _keeping.Page.LogEnd, _keeping.Page.LogBegin) = (-1, 30, 31);
        (_keeping.Page.Region, _keeping.Page.Buffers) = (32, 33);
    }

    private FakeKernel Kernel => _keeping.Kernel;

    public void Dispose() => _keeping.Dispose();

    [Fact]
    public void What_must_outlive_all_processes_is_stored_before_anything_is_served()
    {
        _keeping.Turn();
        Assert.Equal(
            ["tmem-buffers: 33", "tmem-device-0: 20", "tmem-listener: 9", "tmem-log-begin: 31", "tmem-log-end: 30",
                "tmem-page", "tmem-program: 50", "tmem-region: 32"],
            Held().Select(held => held.StartsWith("tmem-page", StringComparison.Ordinal) ? "tmem-page" : held));
        Assert.DoesNotContain(Kernel.Told!, line => line.Contains("READY", StringComparison.Ordinal));
        Assert.Equal("STATUS=holding /mnt/tmem, waiting for worker 101, restarts: 0, upgrades: 0", Kernel.Told![^1]);
    }

    [Fact]
    public void It_is_ready_once_a_worker_serves_and_each_change_is_told_once()
    {
        var (worker, _) = _keeping.Serve();
        Assert.Equal("READY=1 STATUS=serving /mnt/tmem, worker 101, restarts: 0, upgrades: 0", Kernel.Told![^1]);
        var told = Kernel.Told.Count;
        _keeping.Turn();
        Assert.Equal(told, Kernel.Told.Count);
        worker.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        _keeping.Turn();
        Assert.Contains("restarts: 1", Kernel.Told![^1], StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_cannot_take_now_it_gets_later()
    {
        Kernel.IsHeard = false;
        _keeping.Turn();
        Assert.Empty(Kernel.Told!);
        _keeping.Turn();
        // Soon, and not only with the next event.
        Assert.InRange(Kernel.Patience, 0, 100);
        Kernel.IsHeard = true;
        _keeping.Turn();
        Assert.Equal(8, Held().Length);
    }

    [Fact]
    public void A_program_and_devices_of_an_upgrade_take_their_places()
    {
        var (worker, _) = _keeping.Serve();
        var (successor, program) = _keeping.Upgrade(worker, threads: 3);
        Assert.Contains($"tmem-device-2: {_keeping.Device(2)}", Held());
        Assert.Contains("tmem-program: 50", Held());
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        worker.Ends(0);
        _keeping.Turn();
        Assert.Contains($"tmem-program: {program}", Held());
        Assert.DoesNotContain("tmem-program: 50", Held());
    }

    [Fact]
    public void Devices_of_an_upgrade_that_fails_are_let_go()
    {
        var (worker, _) = _keeping.Serve();
        var (successor, _) = _keeping.Upgrade(worker, threads: 3);
        successor.Ends(1);
        _keeping.Turn();
        Assert.DoesNotContain(Held(), held => held.StartsWith("tmem-device-1", StringComparison.Ordinal));
        Assert.Contains("tmem-device-0: 20", Held());
    }

    [Fact]
    public void A_new_listener_takes_the_place_of_the_old_one()
    {
        var (worker, _) = _keeping.Serve();
        var told = Kernel.Told!.Count;
        worker.Say(LinkMessage.Listener, 77);
        _keeping.Turn();
        Assert.Equal(["FDSTOREREMOVE=1 FDNAME=tmem-listener", "FDSTORE=1 FDPOLL=0 FDNAME=tmem-listener: 9"],
            Kernel.Told![told..]);
    }

    [Fact]
    public void After_an_end_in_order_it_holds_nothing()
    {
        var (worker, _) = _keeping.Serve();
        _keeping.Page.ConnectionOver = 1;
        worker.Ends(0);
        Assert.Equal(0, _keeping.Keeper.Run());
        Assert.Contains("STOPPING=1", Kernel.Told!);
        Assert.Empty(Held());
    }

    [Fact]
    public void A_keeper_of_a_living_worker_says_that_it_is_the_main_process_now()
    {
        Kernel.Add(Role.Worker, FakeKernel.Program);
        _keeping.Page.WorkerProcess = FakeKernel.FirstProcess;
        _keeping.Keeper.Adopt(Link.None);
        _keeping.Turn();
        Assert.Equal($"READY=1 MAINPID={Environment.ProcessId} "
            + "STATUS=serving /mnt/tmem, worker 101, restarts: 0, upgrades: 0", Kernel.Told![^1]);
        Assert.Equal(8, Held().Length);
    }

    [Fact]
    public void The_watchdog_hears_of_the_keeper_in_time()
    {
        Kernel.Watchdog = 9000;
        _keeping.Serve();
        var pings = Pings();
        Assert.Equal(1, pings);
        for (var second = 0; second < 30; second++)
        {
            Kernel.Now += 1000;
            _keeping.Turn();
            Assert.InRange(Kernel.Patience, 0, 3000);
        }
        Assert.InRange(Pings(), 9, 12);
    }

    [Fact]
    public void A_worker_that_takes_no_requests_for_as_long_is_ended_once()
    {
        Kernel.Watchdog = 9000;
        Kernel.Awaited = _ => { };
        var (worker, _) = _keeping.Serve();
        _keeping.Page.Beat = Kernel.Now;
        Kernel.Now += 8999;
        Assert.Empty(_keeping.Turn());
        Kernel.Now += 1;
        Assert.Equal(["kill 101 9"], _keeping.Turn());
        Assert.Empty(_keeping.Turn());
        Assert.Equal(["error: worker 101 has taken no request for 9 s; ending it"], _keeping.Log);
        worker.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        Assert.Equal(1, _keeping.Page.Restarts);
    }

    [Theory]
    [InlineData(0, 100)]
    [InlineData(9000, 0)]
    public void A_worker_is_left_alone_where_nobody_watches_and_before_it_has_shown_anything(long watchdog, long beat)
    {
        Kernel.Watchdog = watchdog;
        _keeping.Serve();
        _keeping.Page.Beat = beat;
        Kernel.Now += 100_000;
        Assert.Empty(_keeping.Turn());
    }

    private int Pings() => Kernel.Told!.Count(line => line == "WATCHDOG=1");

    /// <summary>What the supervisor holds after all it was told: "name: descriptor".</summary>
    private string[] Held()
    {
        var held = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in Kernel.Told!)
        {
            if (!line.Contains("FDNAME=", StringComparison.Ordinal)) continue;
            var what = line.Split("FDNAME=")[1];
            if (line.StartsWith("FDSTORE=1 ", StringComparison.Ordinal))
                Assert.True(held.TryAdd(what.Split(": ")[0], what), line);
            else held.Remove(what);
        }
        return [.. held.Values];
    }
}
