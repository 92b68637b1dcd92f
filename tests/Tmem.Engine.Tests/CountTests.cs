using Tmem.Engine.Pools;

namespace Tmem.Engine.Tests;

/// <summary>A counter has one name and one place, wherever it is reported.</summary>
public sealed class CountTests
{
    private static readonly Count[] s_all = Enum.GetValues<Count>();

    /// <summary>The meter omits these: its other figures, or the levels of each pool, already contain them.</summary>
    private static readonly Count[] s_notMetered =
    [
        Count.Puts, Count.PutsReplaced, Count.Gets,
        Count.PageFlushesNotFound, Count.ObjectFlushesFound, Count.ObjectFlushesNotFound,
        Count.EvictionsPoolLimit, Count.EvictionsClientLimit,
    ];

    [Fact]
    public void Statistics_have_a_property_of_each_counts_name_that_reads_it()
    {
        var counters = new PoolCounters();
        foreach (var count in s_all) counters.Add(count, 100 + (int)count);
        var read = counters.Read(pageSize: 3);
        foreach (var count in s_all)
        {
            var expected = count == Count.OriginalBytes ? 3 * read.Pages : 100 + (int)count;
            Assert.Equal(expected, typeof(PoolStatistics).GetProperty($"{count}")!.GetValue(read));
        }
        Assert.Equal(s_all.Select(count => $"{count}"), typeof(PoolStatistics).GetProperties().Select(property => property.Name));
    }

    [Fact]
    public void Statistics_are_values()
    {
        var one = new PoolStatistics { Pages = 1, CorruptPages = 2 };
        Assert.Equal(one, one with { Evictions = 0 });
        Assert.NotEqual(one, one with { Evictions = 1 });
        Assert.Equal(one.GetHashCode(), (one with { Evictions = 0 }).GetHashCode());
        Assert.Equal(new PoolStatistics { Pages = 4, Puts = 3, CorruptPages = 2 },
            PoolStatistics.Sum(one, new PoolStatistics { Pages = 3, Puts = 3 }));
        Assert.Contains("CorruptPages = 2 }", one.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_gone_leaves_what_has_happened()
    {
        PoolCounters gone = new(), all = new();
        foreach (var count in s_all) gone.Add(count, 5);
        all.AbsorbGone(gone);
        foreach (var count in s_all) Assert.Equal(count < Count.Puts ? 0 : 5, all.Sum(count));
    }

    [Fact]
    public void The_meter_tells_all_that_has_happened_once_but_what_is_listed()
    {
        var told = EngineMeter.Totals.SelectMany(total => total.Parts).SelectMany(part => part.Sum);
        Assert.Equal(s_all.Where(count => count >= Count.Puts), told.Concat(s_notMetered).Order());
    }
}
