using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Ctl.Tests;

public sealed class CountedTests
{
    [Fact]
    public void One_is_told_from_many() =>
        Assert.Equal(["0 pages", "1 page", "2 pages"], new[] { 0, 1, 2 }.Select(count => Counted.Of(count, "page")));

    [Fact]
    public void Names_are_listed_as_people_do() => Assert.Equal(["", "a", "a and b", "a, b and c"],
        new string[][] { [], ["a"], ["a", "b"], ["a", "b", "c"] }.Select(Counted.Names));
}
