using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>Lines that fit a screen: at most 130 columns, in sources, scripts and prose.</summary>
public class LineLengthTests
{
    private const int Most = 130;

    private static readonly string[] s_extensions = ["", ".cs", ".c", ".md", ".csproj", ".props", ".json"];

    /// <summary>Made by tools: the list of the public surface, build output, dashboards.</summary>
    private static readonly string[] s_made = ["bin", "obj", "out", ".git", "grafana"];

    [Fact]
    public void No_line_is_longer_than_130_columns()
    {
        var files = Directory.EnumerateFiles(Repository.Root, "*", SearchOption.AllDirectories)
            .Where(file => s_extensions.Contains(Path.GetExtension(file)) && !IsMade(file)).ToList();
        Assert.Contains(files, file => file.EndsWith("scripts/test", StringComparison.Ordinal));
        Assert.Empty(files.SelectMany(TooLong));
    }

    private static bool IsMade(string file) =>
        Path.GetRelativePath(Repository.Root, file).Split('/').Intersect(s_made).Any();

    /// <summary>In prose, rows of tables may have any length, and a program's output stands as it is printed.</summary>
    private static IEnumerable<string> TooLong(string file)
    {
        var isProse = file.EndsWith(".md", StringComparison.Ordinal);
        var isOutput = false;
        var number = 0;
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (isProse && line.StartsWith("```", StringComparison.Ordinal)) isOutput = !isOutput;
            if (line.Length > Most && !(isProse && (isOutput || line.StartsWith('|'))))
                yield return $"{Path.GetRelativePath(Repository.Root, file)}:{number} has {line.Length} columns";
        }
    }
}
