using System.Text.RegularExpressions;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>The scripts that README.md and docs/ run exist, and take the words that are given to them.</summary>
public sealed partial class DocumentedScriptTests
{
    [Fact]
    public void Every_script_that_a_document_runs_takes_what_it_is_given()
    {
        var runs = Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md")
            .Append(Path.Combine(Repository.Root, "README.md"))
            .SelectMany(document => Run().Matches(File.ReadAllText(document))).ToList();
        Assert.True(runs.Count > 25, $"{runs.Count} runs of scripts are shown");
        // --help is one for all scripts.
        Assert.All(runs, run =>
        {
            var script = Text(run.Groups["script"].Value) + Text("usage");
            foreach (Capture word in run.Groups["word"].Captures) Assert.Matches($@"(?<![\w-]){word.Value}(?![\w-])", script);
        });

        static string Text(string script) => File.ReadAllText(Path.Combine(Repository.Root, "scripts", script));
    }

    /// <summary>Between backticks or in a block: a script, its command, and its options, without their values.</summary>
    [GeneratedRegex(@"(?<=`(sudo )?([A-Z_]+=\S+ )*|^(\$ )?sudo )scripts/(?<script>[a-z]+)(?=[ `\n])( (?<word>[a-z]+)(?=[ `\n]))?"
        + @"( \[?(?<word>--[a-z-]+)(?=[] `=\n])|(?! +#) [^`\s]+)*", RegexOptions.Multiline)]
    private static partial Regex Run();
}
