using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>A promise in docs/ names the test that holds it; this test checks that the named test exists.</summary>
public sealed partial class DocumentedTestTests
{
    [Fact]
    public void Every_test_that_a_document_names_exists()
    {
        var sources = string.Concat(Directory.EnumerateDirectories(Path.Combine(Repository.Root, "tests"), "*.Tests")
            .SelectMany(project => Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories))
            .Select(File.ReadAllText));
        var named = Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md")
            .SelectMany(document => Named().Matches(File.ReadAllText(document))).ToList();
        Assert.True(named.Count > 100, $"{named.Count} tests are named");
        Assert.DoesNotContain(named.Select(name => name.Groups["test"].Value).Where(test => test.Length > 0).Distinct(),
            test => !Regex.IsMatch(sources, $@"\bpublic [a-zA-Z ]+ {test}\("));
        Assert.DoesNotContain(named.Select(name => name.Groups["class"].Value).Where(one => one.Length > 0).Distinct(),
            one => !Regex.IsMatch(sources, $@"\bclass {one}\b"));
    }

    /// <summary>`SomeTests`, `SomeTests.A_test`, `SomeTests.*` or `A_test` alone.</summary>
    [GeneratedRegex(@"`(?<class>[A-Z]\w*Tests)?(\.\*|\.?(?<test>[A-Z][a-z0-9]*_[a-z]\w*))?`")]
    private static partial Regex Named();
}
