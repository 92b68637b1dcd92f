using System.Globalization;
using System.Text.RegularExpressions;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The samples do what they show.</summary>
public sealed partial class SampleTests
{
    [Fact]
    public void The_page_cache_holds_more_than_its_memory_and_answers_most_reads()
    {
        var output = Repository.Run(AppContext.BaseDirectory, "dotnet", "PageCache.dll");
        var figures = Figures().Match(output);
        Assert.True(figures.Success, output);
        var memory = double.Parse(figures.Groups["memory"].Value, CultureInfo.InvariantCulture);
        var holds = double.Parse(figures.Groups["holds"].Value, CultureInfo.InvariantCulture);
        var hits = double.Parse(figures.Groups["hits"].Value, CultureInfo.InvariantCulture);
        Assert.True(memory <= 8 && holds > 1.5 * memory && hits > 60, output);
    }

    [Fact]
    public void Values_set_by_one_process_are_there_in_the_next()
    {
        var directory = Directory.CreateTempSubdirectory("tmem-values-").FullName;
        try
        {
            var file = Path.Combine(directory, "values");
            var large = string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i} "));
            Assert.Equal("", Values(file, "set", "small", "größer"));
            Assert.Equal("", Values(file, "set", "large", large));
            Assert.Equal("größer\n", Values(file, "get", "small"));
            Assert.Equal(large + "\n", Values(file, "get", "large"));
            Assert.Equal("", Values(file, "set", "large", "now small"));
            Assert.Equal("now small\n", Values(file, "get", "large"));
            Assert.Equal("", Values(file, "remove", "small"));
            Assert.Throws<Xunit.Sdk.TrueException>(() => Values(file, "get", "small"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        static string Values(params string[] arguments) =>
            Repository.Run(AppContext.BaseDirectory, "dotnet", ["KeyValues.dll", .. arguments]);
    }

    [Fact]
    public void Tenants_have_memory_by_their_weights_and_a_listener_sees_it()
    {
        var output = Repository.Run(AppContext.BaseDirectory, "dotnet", "Tenants.dll");
        var memory = Shares().Match(output);
        Assert.True(memory.Success, output);
        var ratio = double.Parse(memory.Groups["large"].Value, CultureInfo.InvariantCulture)
            / double.Parse(memory.Groups["small"].Value, CultureInfo.InvariantCulture);
        Assert.True(ratio is > 2 and < 4.5, output);
        Assert.Contains("tmem.memory.capacity                        16777216 By", output, StringComparison.Ordinal);
        Assert.Contains("tmem.puts               stored                 40000 {put}", output, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^memory of the tenants: (?<large>\d+) and (?<small>\d+) MiB$", RegexOptions.Multiline)]
    private static partial Regex Shares();

    [GeneratedRegex(
        @"^file .*\ncache +(?<memory>[\d.]+) MiB of real memory hold \d+ pages, (?<holds>[\d.]+) MiB\n"
            + @"saved .*\nreads +\d+, (?<hits>[\d.]+) % from the cache\n$")]
    private static partial Regex Figures();
}
