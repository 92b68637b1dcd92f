using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>
/// No message names a command line of tmemctl that was written by hand: without the --socket of the daemon that the message is
/// about, it would act on another one. ControlCommand makes them.
/// </summary>
public partial class CommandLineTests
{
    private static readonly string[] s_folders = ["src/Tmem.Fuse", "src/tmemctl", "src/Tmem.Control", "src/Tmem.Settings"];

    /// <summary>The file that makes them.</summary>
    private const string Maker = "src/Tmem.Control/Messages/ControlCommand.cs";

    [Fact]
    public void No_command_line_of_tmemctl_is_written_by_hand()
    {
        var sources = s_folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs",
            SearchOption.AllDirectories)).Where(file => !file.Contains("/obj/", StringComparison.Ordinal)).ToList();
        Assert.Contains(sources, file => file.EndsWith(Maker, StringComparison.Ordinal));
        Assert.Empty(sources.Where(file => !file.EndsWith(Maker, StringComparison.Ordinal)).SelectMany(ByHand));
    }

    [Theory]
    [InlineData("\"turn it off with 'tmemctl swap off'\"", true)]
    [InlineData("$\"run: tmemctl \"", true)]
    [InlineData("$\"tmemctl {see}\"", true)]
    [InlineData("// tmemctl swap off does it", false)]
    [InlineData("/// <summary><c>tmemctl stop</c>.</summary>", false)]
    [InlineData("\"Unix socket for tmemctl. Example:\"", false)]
    [InlineData("error.WriteLine(\"tmemctl: \" + message)", false)]
    public void It_finds_what_it_looks_for(string line, bool found) => Assert.Equal(found, IsByHand(line));

    private static IEnumerable<string> ByHand(string file) => File.ReadLines(file)
        .Select((line, index) => (line, number: index + 1)).Where(one => IsByHand(one.line))
        .Select(one => $"{Path.GetRelativePath(Repository.Root, file)}:{one.number}: {one.line.Trim()}");

    private static bool IsByHand(string line) =>
        !line.TrimStart().StartsWith("//", StringComparison.Ordinal) && Mention().IsMatch(line);

    /// <summary>The program's name in a string, followed by something to type.</summary>
    [GeneratedRegex("\"[^\"]*tmemctl [^\"]*\"?")]
    private static partial Regex Mention();
}
