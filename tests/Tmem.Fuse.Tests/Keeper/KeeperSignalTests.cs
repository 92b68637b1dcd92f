using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>
/// The keeper passes a stop on to a worker that serves, until one has decided about it; SIGHUP too; other signals do nothing.
/// </summary>
public sealed class KeeperSignalTests : IDisposable
{
    private const int Hup = NativeProcess.SIGHUP, Int = NativeProcess.SIGINT, Term = NativeProcess.SIGTERM;
    private readonly Keeping _keeping = new();

    private FakeKernel Kernel => _keeping.Kernel;

    public void Dispose() => _keeping.Dispose();

    [Theory]
    [InlineData(NativeProcess.SIGINT)]
    [InlineData(NativeProcess.SIGQUIT)]
    [InlineData(NativeProcess.SIGTERM)]
    [InlineData(NativeProcess.SIGHUP)]
    public void One_that_the_worker_decides_about_is_passed_on(int signal)
    {
        _keeping.Serve();
        Assert.Equal([$"kill 101 {signal}"], _keeping.Signal(signal));
        Assert.Empty(_keeping.Turn());
        Assert.Empty(_keeping.Log);
    }

    [Fact]
    public void Anything_else_is_told_and_goes_by()
    {
        _keeping.Serve();
        Assert.Empty(_keeping.Signal(10));
        Assert.Equal(["info: SIGUSR1 (10): nothing to do; keeping on"], _keeping.Log);
    }

    [Fact]
    public void While_none_serves_they_wait()
    {
        _keeping.Turn();
        Assert.Empty(_keeping.Signal(Int));
        Assert.Empty(_keeping.Signal(Hup));
        // The last one counts.
        Assert.Empty(_keeping.Signal(Term));
        _keeping.Last.Say(LinkMessage.Serving);
        Assert.Equal([$"kill 101 {Term}", $"kill 101 {Hup}", "start Successor 102 of 50"], _keeping.Turn());
    }

    [Fact]
    public void While_one_retires_they_wait_for_the_next()
    {
        var (worker, _) = _keeping.Serve();
        var (successor, _) = _keeping.Upgrade(worker);
        successor.Say(LinkMessage.Ready);
        _keeping.Turn();
        Assert.Empty(_keeping.Signal(Term));
        Assert.Empty(_keeping.Signal(Hup));
        worker.Say(LinkMessage.Retired);
        Assert.Equal([$"tell {successor.Number} TakeOver"], _keeping.Turn());
        Assert.Empty(_keeping.Signal(Int));
        successor.Say(LinkMessage.Serving);
        Assert.Equal([$"kill {successor.Number} {Int}", $"kill {successor.Number} {Hup}"], _keeping.Turn()[^3..^1]);
    }

    [Fact]
    public void A_stop_that_a_worker_was_sent_and_died_without_deciding_goes_to_the_next()
    {
        var (worker, standby) = _keeping.Serve();
        _keeping.Signal(Term);
        worker.DiesBy(NativeProcess.SIGKILL);
        Assert.Equal(["tell 102 TakeOver"], _keeping.Turn());
        standby.Say(LinkMessage.Serving);
        Assert.Equal([$"kill 102 {Term}"], _keeping.Turn()[..1]);
        // And from that one to its successor.
        standby.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        _keeping.Last.Say(LinkMessage.Serving);
        Assert.Contains($"kill {_keeping.Last.Number} {Term}", _keeping.Turn());
    }

    [Fact]
    public void A_stop_that_was_decided_about_is_not_asked_for_again()
    {
        var (worker, standby) = _keeping.Serve();
        _keeping.Signal(Term);
        _keeping.Page.StopsDecided++;
        worker.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        standby.Say(LinkMessage.Serving);
        Assert.Equal(["start Successor 103 of 50"], _keeping.Turn());
        // The next one gets its own.
        _keeping.Signal(Int);
        standby.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        _keeping.Last.Say(LinkMessage.Serving);
        Assert.Contains($"kill {_keeping.Last.Number} {Int}", _keeping.Turn());
    }

    [Fact]
    public void A_stop_goes_to_the_one_that_takes_over_early_or_after_an_upgrade_too()
    {
        var (_, standby) = _keeping.Serve();
        _keeping.Signal(Term);
        standby.Say(LinkMessage.WorkerEnds);
        _keeping.Turn();
        standby.Say(LinkMessage.Serving);
        Assert.Contains($"kill 102 {Term}", _keeping.Turn());
        var (successor, _) = _keeping.Upgrade(standby);
        successor.Say(LinkMessage.Ready);
        standby.Say(LinkMessage.Retired);
        _keeping.Turn();
        successor.Say(LinkMessage.Serving);
        Assert.Contains($"kill {successor.Number} {Term}", _keeping.Turn());
    }

    [Fact]
    public void A_worker_that_is_dead_already_is_sent_nothing()
    {
        var (worker, standby) = _keeping.Serve();
        worker.DiesBy(NativeProcess.SIGKILL);
        Assert.Equal(["tell 102 TakeOver"], _keeping.Signal(Term));
        standby.Say(LinkMessage.Serving);
        Assert.Equal([$"kill 102 {Term}"], _keeping.Turn()[..1]);
    }

    [Theory]
    [InlineData(59_000, true)]
    [InlineData(60_000, false)]
    public void SIGHUP_is_sent_again_to_a_worker_that_serves_within_a_minute_of_it(int later, bool again)
    {
        var (worker, standby) = _keeping.Serve();
        _keeping.Signal(Hup);
        worker.DiesBy(NativeProcess.SIGKILL);
        _keeping.Turn();
        Kernel.Now += later;
        standby.Say(LinkMessage.Serving);
        Assert.Equal(again, _keeping.Turn().Contains($"kill 102 {Hup}"));
    }
}
