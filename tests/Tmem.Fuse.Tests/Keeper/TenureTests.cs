using System.Runtime.InteropServices;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>
/// Whoever takes the page from dead processes, and a process that one of them had just started, never have it both: whichever
/// looks when.
/// </summary>
public sealed class TenureTests
{
    private const int Keeper = 11, Worker = 12, Standby = 13, Adopter = 14;

    private HandoverPage _page = new()
    {
        Term = 5, KeeperProcess = Keeper, WorkerProcess = Worker, ServingProcess = Worker, StandbyProcess = Standby,
    };

    [Fact]
    public void One_that_begins_after_the_page_was_taken_ends_and_has_touched_nothing()
    {
        Assert.True(Tenure.TryTake(ref _page, _ => false));
        Assert.Equal(6, _page.Term);
        byte[] before = [.. Bytes()];
        Assert.False(Tenure.TryBegin(ref _page, 5, Adopter));
        Assert.Equal(before, Bytes());
        Assert.True(Tenure.TryBegin(ref _page, 6, Adopter));
    }

    [Fact]
    public void One_that_has_begun_is_seen_and_the_page_is_its_own_and_of_those_it_starts()
    {
        Assert.True(Tenure.TryBegin(ref _page, 5, Adopter));
        Assert.False(Tenure.TryTake(ref _page, process => process == Adopter));
        Assert.True(Tenure.TryBegin(ref _page, 5, 15));
        _page.KeeperProcess = Adopter;
        Assert.False(Tenure.TryTake(ref _page, process => process == Adopter));
        Assert.True(Tenure.TryTake(ref _page, _ => false));
    }

    /// <summary>It begins at each moment at which the other looks at a process; what that look finds was true before.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void One_that_begins_while_the_page_is_taken_ends_unless_it_is_seen(int moment)
    {
        var looks = 0;
        var hasBegun = false;
        var taken = Tenure.TryTake(ref _page, process =>
        {
            var lived = process == Adopter && hasBegun;
            if (looks++ == moment) hasBegun = Tenure.TryBegin(ref _page, 5, Adopter);
            return lived;
        });
        Assert.True(looks > 3);
        Assert.NotEqual(taken, hasBegun);
        Assert.True(taken);
    }

    [Fact]
    public async Task Of_two_that_race_one_has_the_page()
    {
        var (both, neither) = (0, 0);
        for (var round = 0; round < 5000; round++)
        {
            var page = new StrongPage();
            using var start = new Barrier(2);
            var begins = Task.Run(() =>
            {
                start.SignalAndWait();
                return Tenure.TryBegin(ref page.Page, 5, Adopter);
            });
            start.SignalAndWait();
            var taken = Tenure.TryTake(ref page.Page, process => process == Adopter);
            var begun = await begins;
            if (taken && begun) both++;
            // It saw the term of the other, which then took it back: the next look succeeds.
            if (!taken && !begun) neither++;
        }
        Assert.Equal(0, both);
        Assert.True(neither < 5000);
    }

    [Fact]
    public void What_is_started_in_a_term_is_of_that_term_whatever_the_page_says_by_then()
    {
        var handover = Handover.Create();
        var mine = Handover.Adopt(handover.Descriptor, 0);
        Assert.NotNull(mine);
        handover.Page.Term = 1;
        Assert.Equal(0, mine.Term);
        Assert.Null(Handover.Adopt(handover.Descriptor, mine.Term));
        Assert.NotNull(Handover.Adopt(handover.Descriptor, Tenure.Unknown));
    }

    [Fact]
    public void Descriptors_of_a_page_that_somebody_still_has_stay_as_they_are()
    {
        var handover = Handover.Create();
        handover.Page.Region = 100;
        handover.Page.Beginner = Adopter;
        Assert.False(handover.TryRevive(place => place, process => process == Adopter));
        Assert.Equal(100, handover.Page.Region);
        Assert.True(handover.TryRevive(place => -1, _ => false));
        Assert.Equal((-1, 1), (handover.Page.Region, handover.Term));
    }

    private ReadOnlySpan<byte> Bytes() => MemoryMarshal.AsBytes(new ReadOnlySpan<HandoverPage>(in _page));

    private sealed class StrongPage
    {
        public HandoverPage Page = new() { Term = 5, KeeperProcess = Keeper, WorkerProcess = Worker };
    }
}
