using Tmem.Control.Messages;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A remedy is given once.</summary>
public sealed class RemediesTests
{
    [Theory]
    [InlineData("no keeper is there; run 'tmemctl adopt' first", "then upgrade again")]
    [InlineData("the program crashed", "remove the cause and upgrade again")]
    public void A_reason_that_says_what_to_do_is_not_told_it_again(string reason, string remedy) =>
        Assert.Equal(remedy, UpgradeRemedy.Of(reason));

    [Fact]
    public void A_directory_as_the_region_is_refused_with_one_remedy()
    {
        var folder = Directory.CreateTempSubdirectory("tmem-test-").FullName;
        try
        {
            var refusal = Assert.ThrowsAny<Exception>(() => RegionFile.Open(folder)).Message;
            Assert.DoesNotContain("Name a file that can be", refusal, StringComparison.Ordinal);
            Assert.Contains("give a file", refusal, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder);
        }
    }
}
