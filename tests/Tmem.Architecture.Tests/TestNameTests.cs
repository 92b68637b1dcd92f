using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>A test is named by the sentence that it proves, with its words apart: one style in all projects.</summary>
public sealed partial class TestNameTests
{
    [Fact]
    public void Names_of_tests_are_sentences_with_underscores()
    {
        var tests = Directory.EnumerateDirectories(Path.Combine(Repository.Root, "tests"), "*.Tests")
            .SelectMany(project => Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Tests().Matches(File.ReadAllText(file)).Select(test => test.Groups["name"].Value)).ToList();
        Assert.True(tests.Count > 900, $"{tests.Count} tests found");
        Assert.DoesNotContain(tests, name => Run().IsMatch(name));
    }

    [GeneratedRegex(@"\[(Fact|Theory)\b.*?\bpublic (async |static |unsafe )*(void|Task) (?<name>\w+)\(", RegexOptions.Singleline)]
    private static partial Regex Tests();

    /// <summary>A capital within a word: two words run together.</summary>
    [GeneratedRegex("[a-z][A-Z][a-z]")]
    private static partial Regex Run();
}
