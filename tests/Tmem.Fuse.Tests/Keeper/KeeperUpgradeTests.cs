using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>An upgrade, phase by phase, and the outcome of a death, a second request or a timeout in each.</summary>
public sealed class KeeperUpgradeTests : IDisposable
{
    private readonly Keeping _keeping = new();
    private readonly FakeProcess _worker;
    private readonly FakeProcess _standby;

    public KeeperUpgradeTests() => (_worker, _standby) = _keeping.Serve();

    private FakeKernel Kernel => _keeping.Kernel;

    public void Dispose() => _keeping.Dispose();

    [Fact]
    public void The_new_program_gets_ready_the_old_one_retires_and_the_new_one_takes_over()
    {
        var wish = new WorkerSettings { Program = 60, Threads = 3 };
        _worker.Wish(wish);
        Assert.Equal(["kill 102 9", "await 102", "start Successor 103 of 60"], _keeping.Turn());
        Assert.Equal(3, _keeping.Page.DeviceCount);
        var successor = _keeping.Last;
        successor.Say(LinkMessage.Ready);
        Assert.Equal(["tell 101 Retire"], _keeping.Turn());
        Assert.Equal(FakeKernel.Program, _keeping.Page.Current.Program);
        _worker.Say(LinkMessage.Retired);
        Assert.Equal(["tell 103 TakeOver"], _keeping.Turn());
        Assert.Equal((60, 103), (_keeping.Page.Current.Program, _keeping.Page.WorkerProcess));
        successor.Say(LinkMessage.Serving);
        Assert.Equal(["close 50", "hold 60", "start Successor 104 of 60"], _keeping.Turn());
        Assert.Equal(1, _keeping.Page.Upgrades);
        Assert.Equal(["info: worker 103 has taken over"], _keeping.Log);
        // A worker that has retired ends on its own.
        Assert.False(_worker.IsReaped);
        _worker.Ends(0);
        Assert.Empty(_keeping.Turn());
        Assert.True(_worker.IsReaped);
        Assert.Equal(0, _keeping.Page.Restarts);
    }

    [Fact]
    public void An_old_one_that_ends_in_order_without_a_word_has_retired()
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        _worker.Ends(0);
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
        Assert.Empty(_keeping.Log);
        Assert.Equal(0, _keeping.Page.Restarts);
    }

    [Fact]
    public void Other_settings_of_the_same_program_close_nothing()
    {
        _worker.Say(LinkMessage.Upgrade);
        _keeping.Turn();
        var successor = _keeping.Last;
        Assert.Equal(FakeKernel.Program, successor.Program);
        successor.Say(LinkMessage.Ready);
        _worker.Say(LinkMessage.Retired);
        _keeping.Turn();
        successor.Say(LinkMessage.Serving);
        _keeping.Turn();
        Assert.Equal(1, _keeping.Page.Upgrades);
        Assert.Empty(Kernel.Closed);
    }

    [Theory]
    [InlineData(1, 0, "ended by itself, exit code 1")]
    [InlineData(9, 1, "was killed by SIGKILL (the out-of-memory killer sends it too)")]
    public void A_new_one_that_dies_while_it_prepares_changes_nothing(int number, int bySignal, string cause)
    {
        var (successor, program) = _keeping.Upgrade(_worker, threads: 2);
        var clone = _keeping.Device(1);
        if (bySignal == 0) successor.Ends(number);
        else successor.DiesBy(number);
        Assert.Equal([$"close {program}", $"close {clone}", "tell 101 UpgradeFailed", "start Successor 104 of 50"],
            _keeping.Turn());
        Assert.Equal($"{Keeping.NewProgram} {cause} before it was ready: it is no tmemd, or none that can take over from this "
            + "one; what it wrote, if anything, is in the daemon's log", _keeping.UpgradeProblem);
        Assert.Equal("warning: upgrade refused: " + _keeping.UpgradeProblem, _keeping.Log.Single());
        Assert.Equal((1, 0, 0), (_keeping.Page.DeviceCount, _keeping.Page.Upgrades, _keeping.Page.Restarts));
        Assert.Equal(_keeping.Page.Current.Program, _keeping.Page.Proposed.Program);
    }

    [Fact]
    public void A_new_one_that_is_not_ready_in_time_is_ended()
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        Kernel.Now += 14_999;
        Assert.Empty(_keeping.Turn());
        Assert.Equal(1, Kernel.Patience);
        Kernel.Now += 1;
        Assert.Equal([$"kill {successor.Number} 9"], _keeping.Turn());
        _keeping.Turn();
        Assert.Equal($"{Keeping.NewProgram} was not ready within 15 s and was ended: it is no tmemd, or none that can take over "
            + "from this one; what it wrote, if anything, is in the daemon's log", _keeping.UpgradeProblem);
        Assert.Equal(LinkMessage.UpgradeFailed, _worker.Told[^1]);
    }

    [Fact]
    public void A_program_that_cannot_be_executed_or_devices_that_cannot_be_cloned_are_answered()
    {
        Kernel.StartError = (Errno)8;
        _worker.Wish(new WorkerSettings { Program = 60, Threads = 1 });
        Assert.Equal(["kill 102 9", "await 102", "close 60", "tell 101 UpgradeFailed"], _keeping.Turn());
        Assert.Equal("the program cannot be executed: it is no program (error 8); name one that can", _keeping.UpgradeProblem);
        (Kernel.StartError, Kernel.CloneError) = (Errno.Ok, (Errno)24);
        _worker.Wish(new WorkerSettings { Program = 61, Threads = 5 });
        Kernel.Now += 10_000;
        Assert.Equal(["close 61", "tell 101 UpgradeFailed", "start Successor 103 of 50"], _keeping.Turn());
        Assert.Equal("/dev/fuse cannot be cloned for more threads: error 24; ask for fewer", _keeping.UpgradeProblem);
    }

    [Fact]
    public void A_second_wish_is_refused_and_its_program_let_go_of_while_the_first_goes_on()
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        _worker.Wish(new WorkerSettings { Program = 61, Threads = 9 });
        Assert.Equal(["close 61", "tell 101 UpgradeFailed"], _keeping.Turn());
        Assert.Equal("an upgrade is under way; one at a time", _keeping.UpgradeProblem);
        successor.Say(LinkMessage.Ready);
        Assert.Equal(["tell 101 Retire"], _keeping.Turn());
        Assert.Equal(1, _keeping.Page.DeviceCount);
    }

    [Fact]
    public void When_the_old_one_dies_before_the_new_one_is_ready_that_one_takes_over_as_soon_as_it_is()
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        _worker.DiesBy(NativeProcess.SIGKILL);
        Assert.Empty(_keeping.Turn());
        Assert.EndsWith("; the new worker takes over as soon as it is ready", _keeping.Log.Single(), StringComparison.Ordinal);
        successor.Say(LinkMessage.Ready);
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
        successor.Say(LinkMessage.Serving);
        _keeping.Turn();
        Assert.Equal((1, 1), (_keeping.Page.Upgrades, _keeping.Page.Restarts));
    }

    [Fact]
    public void When_both_die_while_the_new_one_prepares_the_old_program_is_started_again()
    {
        var (successor, program) = _keeping.Upgrade(_worker);
        _worker.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        successor.DiesBy(11);
        Assert.Equal([$"close {program}"], _keeping.Turn());
        Assert.Equal(["start Worker 104 of 50"], _keeping.Turn());
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(11, 1)]
    public void When_the_old_one_dies_while_it_retires_the_new_one_takes_over(int number, int bySignal)
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        if (bySignal == 0) _worker.Ends(number);
        else _worker.DiesBy(number);
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
        Assert.EndsWith("; the new worker takes over", _keeping.Log.Single(), StringComparison.Ordinal);
        Assert.Equal(1, _keeping.Page.Restarts);
    }

    [Fact]
    public void An_old_one_that_does_not_retire_in_time_is_ended_and_its_requests_are_the_new_ones()
    {
        var (successor, _) = _keeping.Upgrade(_worker);
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        Kernel.Now += 15_000;
        Assert.Equal(["kill 101 9"], _keeping.Turn());
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
    }

    [Fact]
    public void When_the_new_one_dies_after_the_old_one_was_told_to_retire_the_old_program_is_started_again()
    {
        var (successor, program) = _keeping.Upgrade(_worker);
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        successor.DiesBy(NativeProcess.SIGKILL);
        Assert.Equal([$"close {program}", "tell 101 UpgradeFailed", "start Successor 104 of 50"], _keeping.Turn());
        Assert.Contains(" when it had just been ready; what it wrote", _keeping.UpgradeProblem, StringComparison.Ordinal);
        // It has been told to retire, and does.
        _worker.Say(LinkMessage.Retired);
        Assert.Empty(_keeping.Turn());
        _worker.Ends(0);
        Assert.Equal(["tell 104 TakeOver"], _keeping.Turn());
    }

    [Fact]
    public void When_the_new_one_dies_while_it_takes_over_the_program_before_it_serves_again()
    {
        var (successor, program) = _keeping.Upgrade(_worker);
        successor.Say(LinkMessage.Ready);
        _worker.Say(LinkMessage.Retired);
        _keeping.Turn();
        successor.DiesBy(11);
        Assert.Equal([$"close {program}"], _keeping.Turn());
        Assert.Equal($"{Keeping.NewProgram} was killed by SIGSEGV before it served although it had been ready; the program "
            + "before it serves again", _keeping.UpgradeProblem);
        Assert.Equal((50, 50), (_keeping.Page.Current.Program, _keeping.Page.Proposed.Program));
        Kernel.Now += 100;
        Assert.Equal(["start Worker 104 of 50"], _keeping.Turn());
        Assert.Equal(0, _keeping.Page.Upgrades);
    }

    [Fact]
    public void With_all_places_of_those_that_retire_taken_the_end_of_the_next_is_waited_for()
    {
        var worker = _worker;
        List<FakeProcess> retired = [];
        for (var upgrade = 0; upgrade < 4; upgrade++) worker = Next(worker);
        Assert.All(retired, one => Assert.False(one.IsReaped));
        var (successor, _) = _keeping.Upgrade(worker);
        successor.Say(LinkMessage.Ready);
        worker.Say(LinkMessage.Retired);
        Assert.DoesNotContain($"tell {successor.Number} TakeOver", _keeping.Turn());
        // Its end counts as its answer, and the place that it frees serves the next.
        worker.Ends(0);
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
        successor.Say(LinkMessage.Serving);
        retired[2].Ends(0);
        _keeping.Turn();
        Next(successor);

        FakeProcess Next(FakeProcess old)
        {
            var (successor, _) = _keeping.Upgrade(old);
            successor.Say(LinkMessage.Ready);
            old.Say(LinkMessage.Retired);
            Assert.Contains($"tell {successor.Number} TakeOver", _keeping.Turn());
            successor.Say(LinkMessage.Serving);
            _keeping.Turn();
            retired.Add(old);
            return successor;
        }
    }

    [Fact]
    public void A_socket_made_anew_is_handed_on_to_whoever_may_be_next()
    {
        _worker.Say(LinkMessage.Listener, 77);
        Assert.Equal(["listen on 77", "tell 102 Listener 9"], _keeping.Turn());
        var (successor, _) = _keeping.Upgrade(_worker);
        _worker.Say(LinkMessage.Listener, 78);
        Assert.Equal(["listen on 78", $"tell {successor.Number} Listener 9"], _keeping.Turn());
    }

    [Fact]
    public void A_descriptor_that_nobody_asked_for_is_let_go_of()
    {
        _standby.Say(LinkMessage.Ready, 77);
        _worker.Say(LinkMessage.Watching, 78);
        Assert.Equal(["close 78", "close 77"], _keeping.Turn());
    }
}
