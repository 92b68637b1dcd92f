using System.Globalization;
using System.Text.RegularExpressions;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The sample does what it shows.</summary>
public sealed partial class SampleTests
{
    [Fact]
    public void ThePageCacheHoldsMoreThanItsMemoryAndAnswersMostReads()
    {
        var output = Repository.Run(AppContext.BaseDirectory, "dotnet", "PageCache.dll");
        var figures = Figures().Match(output);
        Assert.True(figures.Success, output);
        var memory = double.Parse(figures.Groups["memory"].Value, CultureInfo.InvariantCulture);
        var holds = double.Parse(figures.Groups["holds"].Value, CultureInfo.InvariantCulture);
        var hits = double.Parse(figures.Groups["hits"].Value, CultureInfo.InvariantCulture);
        Assert.True(memory <= 8 && holds > 1.5 * memory && hits > 60, output);
    }

    [GeneratedRegex(
        @"^file .*\ncache +(?<memory>[\d.]+) MiB of real memory hold \d+ pages, (?<holds>[\d.]+) MiB\n"
            + @"saved .*\nreads +\d+, (?<hits>[\d.]+) % from the cache\n$")]
    private static partial Regex Figures();
}
