using Tmem.Engine.Reclaim;

namespace Tmem.Engine.Tests.Reclaim;

/// <summary>The share of pages on probation, and how it is learnt.</summary>
public sealed class ProbationTests
{
    [Fact]
    public void Returns_of_pages_evicted_on_probation_raise_the_share_and_those_of_kept_ones_lower_it_within_bounds()
    {
        var probation = new Probation { Pages = 1000 };
        var least = probation.Target;
        for (var i = 0; i < 50; i++) probation.Returned(wasKept: false);
        var raised = probation.Target;
        Assert.True(raised > least);
        for (var i = 0; i < 100_000; i++) probation.Returned(wasKept: false);
        Assert.Equal(0.8, probation.Target, 6);
        probation.Returned(wasKept: true);
        Assert.True(probation.Target < 0.8);
        for (var i = 0; i < 100_000; i++) probation.Returned(wasKept: true);
        Assert.Equal(least, probation.Target, 6);
    }

    [Fact]
    public void A_return_weighs_the_more_the_fewer_pages_of_its_kind_are_evicted()
    {
        var probation = new Probation { Pages = 1000 };
        for (var i = 0; i < 10_000; i++) probation.Evicted(wasKept: i % 10 == 0);
        for (var i = 0; i < 50; i++) probation.Returned(wasKept: false);
        var before = probation.Target;
        // One in ten was kept, and one in ten of those that return: the next page is worth the same to both.
        for (var i = 0; i < 9; i++) probation.Returned(wasKept: false);
        probation.Returned(wasKept: true);
        Assert.InRange(probation.Target, before - 0.002, before + 0.002);
    }

    [Fact]
    public void The_share_follows_what_the_hands_change_and_slowly_what_they_see()
    {
        var probation = new Probation { Pages = 1000 };
        Assert.True(probation.IsAmple(ofPart: false));
        for (var i = 0; i < 960; i++) probation.Moved(ofPart: false, -1);
        Assert.True(probation.IsShort(ofPart: false));
        for (var i = 0; i < 20; i++) probation.Moved(ofPart: false, 1);
        Assert.False(probation.IsShort(ofPart: false));
        Assert.Equal(0.06, probation.Share, 6);
        probation.Came(-30);
        Assert.Equal(0.03, probation.Share, 6);
        probation.Came(30);
        for (var i = 0; i < 100; i++) probation.Passed(ofPart: false, kept: 0, oneOnProbation: true);
        Assert.InRange(probation.Share, 0.06, 0.07);
        for (var i = 0; i < 25_000; i++) probation.Passed(ofPart: false, kept: 3, oneOnProbation: true);
        Assert.InRange(probation.Share, 0.24, 0.26);
    }

    [Fact]
    public void A_part_of_the_store_has_a_share_of_its_own_and_finds_it_quickly()
    {
        var probation = new Probation { Pages = 1_000_000 };
        for (var i = 0; i < 100; i++) probation.Passed(ofPart: true, kept: 10, oneOnProbation: false);
        Assert.True(probation.IsShort(ofPart: true));
        Assert.False(probation.IsShort(ofPart: false));
    }
}
