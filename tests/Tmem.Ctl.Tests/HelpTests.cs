using System.Text;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// What every command says of itself, to the byte: help.txt has the output of each line that begins with "$ ", which scripts and
/// people know by heart. Changes to it are made there by hand.
/// </summary>
public sealed class HelpTests
{
    [Fact]
    public void Every_command_says_of_itself_what_it_said_before()
    {
        var expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "help.txt"));
        var actual = new StringBuilder();
        foreach (var line in expected.Split('\n').Where(line => line.StartsWith("$ ", StringComparison.Ordinal)))
        {
            actual.Append(line).Append('\n');
            using var output = new StringWriter();
            Assert.Equal(ExitCode.Done,
                CommandTree.Run(line.Split(' ')[2..], output, output, new FakeSwapSystem(), new NoMounts()));
            actual.Append(output.ToString().Replace(Path.GetFileName(Environment.ProcessPath!), "tmemctl",
                StringComparison.Ordinal));
        }
        Assert.Equal(Unwrapped(expected), Unwrapped(actual.ToString()));
    }

    /// <summary>At a terminal, lines are broken at its width; piped output is unbroken.</summary>
    private static string Unwrapped(string text) => Console.IsOutputRedirected ? text
        : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
