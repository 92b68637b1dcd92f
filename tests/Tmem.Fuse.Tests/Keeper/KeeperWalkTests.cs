using CsCheck;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>
/// Whatever happens in whatever order: at most one process has the region, a stop is neither lost nor repeated, every upgrade
/// request is answered, no program in use is closed and no other left open, the keeper ends only when it may, and in the end a
/// worker serves.
/// </summary>
public sealed class KeeperWalkTests
{
    private const int Longest = 100, Walks = 4_000;

    [Fact]
    public void Any_order_of_words_deaths_signals_and_time_keeps_the_promises() =>
        Gen.Enum<Event>().Array[0, Longest].Sample(events =>
        {
            using var walk = new Walk();
            foreach (var next in events)
            {
                walk.Take(next);
                if (walk.IsOver) return;
            }
            walk.Settle();
        }, iter: Walks);

    private enum Event
    {
        Serves, Wishes, WishesTheSame, GetsReady, Retires, EndsInOrder, ExitsWithAnError, IsKilled, Faults, NextIsKilled,
        ThreadsEnd, DoomedEnds, RetiredEnds, Stop, HangUp, Refuses, Stops, StartsFail, StartsWork, Moment, Seconds, Minute,
    }

    /// <summary>The keeper, and the possible actions of its processes.</summary>
    private sealed class Walk : IDisposable
    {
        private readonly Keeping _keeping = new();
        private readonly HashSet<FakeProcess> _doomed = [], _retired = [], _serving = [];
        private readonly Dictionary<FakeProcess, int> _signalsRead = [], _wishes = [];
        private readonly List<int> _programs = [FakeKernel.Program];
        private bool _stopIsWanted;

        public Walk() => Turn();

        public bool IsOver => _keeping.Keeper.Exit is not null;

        private FakeKernel Kernel => _keeping.Kernel;

        /// <summary>The process that has the region, or is to get it.</summary>
        private FakeProcess? Holder => Kernel.Processes.LastOrDefault(HasRegion);

        private FakeProcess? Serving => Holder is { } holder && _serving.Contains(holder) ? holder : null;

        private FakeProcess? Next => Kernel.Processes.LastOrDefault(process => !process.HasEnded && !IsCalled(process));

        public void Dispose() => _keeping.Dispose();

        public void Take(Event what)
        {
            switch (what)
            {
                case Event.Serves when Holder is { } holder && _serving.Add(holder):
                    _keeping.Page.RegionReady = 1;
                    _keeping.Page.ServingProcess = holder.Number;
                    holder.Say(LinkMessage.Serving);
                    break;
                case Event.Wishes or Event.WishesTheSame when Serving is { } worker:
                    var program = what == Event.Wishes ? Kernel.NextDescriptor() : -1;
                    if (program >= 0) _programs.Add(program);
                    worker.Wish(new WorkerSettings { Program = program, Threads = 1 + _programs.Count % 3 });
                    _wishes[worker] = _wishes.GetValueOrDefault(worker) + 1;
                    break;
                case Event.GetsReady:
                    Next?.Say(LinkMessage.Ready);
                    break;
                case Event.Retires when Serving is { } worker && worker.Told.Contains(LinkMessage.Retire):
                    _retired.Add(worker);
                    worker.Say(LinkMessage.Retired);
                    break;
                case Event.EndsInOrder when Serving is { } worker && worker.Told.Contains(LinkMessage.Retire):
                    worker.Ends(0);
                    break;
                case Event.ExitsWithAnError:
                    Holder?.Ends(1);
                    break;
                case Event.IsKilled:
                    Holder?.DiesBy(NativeProcess.SIGKILL);
                    break;
                case Event.Faults:
                    Holder?.DiesBy(11);
                    break;
                case Event.NextIsKilled:
                    Next?.DiesBy(NativeProcess.SIGKILL);
                    break;
                case Event.ThreadsEnd when Serving is { } worker:
                    _doomed.Add(worker);
                    Next?.Say(LinkMessage.WorkerEnds);
                    break;
                case Event.DoomedEnds:
                    foreach (var doomed in _doomed) doomed.DiesBy(NativeProcess.SIGKILL);
                    break;
                case Event.RetiredEnds:
                    foreach (var retired in _retired) retired.Ends(0);
                    break;
                case Event.Stop:
                    _stopIsWanted = true;
                    Kernel.Signals.Enqueue(NativeProcess.SIGTERM);
                    break;
                case Event.HangUp:
                    Kernel.Signals.Enqueue(NativeProcess.SIGHUP);
                    break;
                case Event.Refuses when TryReadStop():
                    Decide();
                    break;
                case Event.Stops when TryReadStop():
                    Decide();
                    _keeping.Page.ConnectionOver = 1;
                    Holder!.Ends(0);
                    break;
                case Event.StartsFail or Event.StartsWork:
                    Kernel.StartError = what == Event.StartsFail ? Errno.ENOMEM : Errno.Ok;
                    break;
                case Event.Moment or Event.Seconds or Event.Minute:
                    Kernel.Now += what switch { Event.Moment => 50, Event.Seconds => 16_000, _ => 61_000 };
                    break;
            }
            Turn();
        }

        /// <summary>Only what has to happen still happens: a worker serves, and nothing is owed.</summary>
        public void Settle()
        {
            for (var round = 0; round < 4; round++)
            {
                foreach (var next in (Event[])[Event.StartsWork, Event.DoomedEnds, Event.RetiredEnds, Event.GetsReady,
                    Event.Retires, Event.Minute, Event.Serves, Event.Minute]) Take(next);
            }
            Assert.False(IsOver);
            Assert.NotNull(Serving);
            Assert.Equal(Serving.Number, _keeping.Page.WorkerProcess);
            Assert.Equal(_stopIsWanted, HasUnreadStop(Serving));
            Assert.Equal(_wishes.GetValueOrDefault(Serving), Answers(Serving));
            Assert.Equal(_keeping.Page.Current.Program, _keeping.Page.Proposed.Program);
            Assert.Equal(_programs.Where(one => one != _keeping.Page.Current.Program).Order(), Kernel.Closed
                .Where(_programs.Contains).Order());
            Assert.All(Kernel.Processes, process => Assert.Equal(process.HasEnded, process.IsReaped));
            _keeping.Keeper.AwaitFamily();
        }

        private void Turn()
        {
            var wanted = _stopIsWanted;
            var hadServed = _serving.Count > 0;
            foreach (var act in _keeping.Turn()) Assert.False(act.EndsWith($" {NativeProcess.SIGTERM}",
                StringComparison.Ordinal) && act.StartsWith("kill", StringComparison.Ordinal) && !wanted, "a stop is repeated");
            Assert.True(Kernel.Processes.Count(HasRegion) <= 1, "two have the region");
            Assert.DoesNotContain(_keeping.Page.Current.Program, Kernel.Closed);
            if (IsOver)
                Assert.True(_keeping.Page.ConnectionOver != 0 || !hadServed && _keeping.Keeper.Exit == 1, "it ends too soon");
        }

        private bool HasRegion(FakeProcess process) => IsCalled(process) && !process.HasEnded && !_doomed.Contains(process)
            && !_retired.Contains(process);

        private static bool IsCalled(FakeProcess process) =>
            process.Role == Role.Worker || process.Told.Contains(LinkMessage.TakeOver);

        private static int Answers(FakeProcess process) =>
            process.Told.Count(told => told is LinkMessage.Retire or LinkMessage.UpgradeFailed);

        private bool HasUnreadStop(FakeProcess process) =>
            process.Signals.Skip(_signalsRead.GetValueOrDefault(process)).Any(signal => signal == NativeProcess.SIGTERM);

        /// <summary>A retiring worker leaves it to the next.</summary>
        private bool TryReadStop() => Serving is { } worker && HasUnreadStop(worker) && !worker.Told.Contains(LinkMessage.Retire);

        private void Decide()
        {
            _signalsRead[Serving!] = Serving!.Signals.Count;
            _keeping.Page.StopsDecided++;
            _stopIsWanted = false;
        }
    }
}
