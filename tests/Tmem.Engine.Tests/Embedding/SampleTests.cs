using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The samples do what they demonstrate.</summary>
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
            Assert.Equal((1, "", "KeyValues: there is no 'small'\n"), End("KeyValues", file, "get", "small"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        static string Values(params string[] arguments) =>
            Repository.Run(AppContext.BaseDirectory, "dotnet", ["KeyValues.dll", .. arguments]);
    }

    [Fact]
    public void A_set_that_finds_no_room_leaves_the_old_value_and_nothing_else()
    {
        var directory = Directory.CreateTempSubdirectory("tmem-values-").FullName;
        try
        {
            var file = Path.Combine(directory, "values");
            var old = string.Concat(Enumerable.Range(0, 2000).Select(i => $"{i} "));
            Assert.Equal((0, "", ""), End("KeyValues", file, "set", "key", old));
            var before = Pages(file, fill: true);
            var noise = Convert.ToBase64String(RandomNumberGenerator.GetBytes(90_000));
            Assert.Equal((1, "", "KeyValues: set 'key': NoRoom\n"), End("KeyValues", file, "set", "key", noise));
            Assert.Equal(before, Pages(file, fill: false));
            Assert.Equal((0, old + "\n", ""), End("KeyValues", file, "get", "key"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void A_value_that_has_lost_a_page_is_not_shown()
    {
        var directory = Directory.CreateTempSubdirectory("tmem-values-").FullName;
        try
        {
            var file = Path.Combine(directory, "values");
            Assert.Equal((0, "", ""), End("KeyValues", file, "set", "key", new string('x', 20_000)));
            using (var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 64 << 20, RegionPath = file }))
            {
                var client = engine.Client(new TmemClientId(1));
                var pool = Assert.Single(client.Pools());
                var key = Assert.Single(client.EnumerateObjects(pool));
                Assert.Equal(TmemStatus.Ok, client.FlushPage(pool, key, client.EnumeratePages(pool, key).Last()));
            }
            Assert.Equal((1, "", "KeyValues: get 'key': Corrupt\n"), End("KeyValues", file, "get", "key"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Theory]
    [InlineData("PageCache", 2, "usage: PageCache ", "--help")]
    [InlineData("PageCache", 2, "usage: PageCache ", "x", "y")]
    [InlineData("PageCache", 2, "usage: PageCache ", "x", "1", "z")]
    [InlineData("PageCache", 1, "PageCache: ", "/nowhere/x")]
    [InlineData("KeyValues", 2, "usage: KeyValues ", "--help")]
    [InlineData("KeyValues", 1, "KeyValues: cannot open the folder of region file '/nowhere/x'", "/nowhere/x", "get", "key")]
    public void What_cannot_be_done_is_one_line(string program, int code, string says, params string[] arguments)
    {
        var (ended, output, errors) = End(program, arguments);
        Assert.Equal((code, ""), (ended, output));
        Assert.StartsWith(says, errors, StringComparison.Ordinal);
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
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

    private static (int Code, string Output, string Errors) End(string program, params string[] arguments) =>
        Repository.End(AppContext.BaseDirectory, "dotnet", [program + ".dll", .. arguments]);

    /// <summary>All pages in the sample's store; fills it first if asked to.</summary>
    private static List<(ObjectId, uint)> Pages(string file, bool fill)
    {
        using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 64 << 20, RegionPath = file });
        var client = engine.Client(new TmemClientId(1));
        var pool = Assert.Single(client.Pools());
        var page = new byte[TmemClient.PageSize];
        for (uint i = 0; fill; i++)
        {
            RandomNumberGenerator.Fill(page);
            if (!client.TryPut(pool, new ObjectId(1), i, page, out _)) break;
        }
        return [.. client.EnumerateObjects(pool).SelectMany(o => client.EnumeratePages(pool, o).Select(page => (o, page)))];
    }

    [GeneratedRegex(@"^memory of the tenants: (?<large>\d+) and (?<small>\d+) MiB$", RegexOptions.Multiline)]
    private static partial Regex Shares();

    [GeneratedRegex(
        @"^file .*\ncache +(?<memory>[\d.]+) MiB of real memory hold \d+ pages, (?<holds>[\d.]+) MiB\n"
            + @"saved .*\nreads +\d+, (?<hits>[\d.]+) % from the cache\n$")]
    private static partial Regex Figures();
}
