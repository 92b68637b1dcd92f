using System.Text.RegularExpressions;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The command lines of tmemctl that README.md and docs/ show are valid.</summary>
public sealed partial class DocumentedCommandTests
{
    private static readonly string s_documents = Path.Combine(AppContext.BaseDirectory, "documents");

    [Fact]
    public void Every_command_line_that_a_document_shows_is_valid()
    {
        using var server = new FakeServer();
        var lines = Directory.EnumerateFiles(s_documents).SelectMany(file => Line().Matches(File.ReadAllText(file)))
            .Select(line => line.Groups["words"].Value.Replace("[", "").Replace("]", "")).Distinct().ToList();
        Assert.True(lines.Count > 12, $"{lines.Count} command lines are shown");
        Assert.All(lines, line => Assert.Contains(Completed(line.Split(' ')), words => IsValid(server, words)));
    }

    [Fact]
    public void What_is_no_command_line_is_found_out()
    {
        using var server = new FakeServer();
        Assert.DoesNotContain(Completed(["pool", "lst"]), words => IsValid(server, words));
        Assert.DoesNotContain(Completed(["status", "--jsn"]), words => IsValid(server, words));
    }

    /// <summary>Prose names a command without what it is about: that is added.</summary>
    private static string[][] Completed(string[] words) => [words, [.. words, "name"], [.. words, "name", "1M"]];

    /// <summary>Wrong usage is known at once; what goes on until it is interrupted is left to itself.</summary>
    private static bool IsValid(FakeServer server, string[] words)
    {
        var run = Task.Run(() => Ctl.Run(server, words).Code);
        return !run.Wait(TimeSpan.FromSeconds(3)) || run.Result != ExitCode.Usage;
    }

    /// <summary>Between backticks, or in a block after a prompt; up to a pipe.</summary>
    [GeneratedRegex(@"(?<=`(sudo )?(out/)?|^\$ (sudo )?(out/)?)tmemctl (?<words>[a-z][^`\n#|]*[^`\n#| ])(?= *(`|\||$))",
        RegexOptions.Multiline)]
    private static partial Regex Line();
}
