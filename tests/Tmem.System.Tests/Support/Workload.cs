using System.Text.Json.Nodes;
using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>The verified swap workload of the benchmarks, on a small corpus made for it.</summary>
internal static class Workload
{
    private static readonly Lazy<string> Corpus = new(MakeCorpus);

    /// <summary>Runs all three phases over so much memory with a limit; the time limit is part of the test.</summary>
    public static Outcome Run(string bytes, long limit, int seconds, int touches = 20_000)
    {
        var corpus = Corpus.Value;
        using var group = new MemoryGroup(limit);
        return Command.RunFor(seconds, "dotnet", Built.Benchmarks, "swap-workload",
            "--bytes", bytes, "--corpus", corpus, "--touches", $"{touches}", "--group", group.Folder);
    }

    /// <summary>The phases that an outcome reports, by name.</summary>
    public static Dictionary<string, JsonNode> Phases(Outcome outcome) =>
        outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!)
            .ToDictionary(p => p["phase"]!.GetValue<string>());

    private static string MakeCorpus()
    {
        if (!File.Exists(Built.Benchmarks)) Assert.Fail($"{Built.Benchmarks} is not built; build the solution");
        Requires.Programs("gcc", "python3", "dotnet");
        var folder = Path.Combine(Built.Folder, "corpus-small");
        Command.RunFor(120, "dotnet", Built.Benchmarks, "corpus", folder, "--bytes", "16M").Succeeds();
        return Path.Combine(folder, "pages.bin");
    }
}
