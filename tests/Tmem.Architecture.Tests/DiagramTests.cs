using System.Text;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>
/// The diagram in docs/architecture.md is made from <see cref="Layers"/>, so it cannot show an older structure.
/// <c>TMEM_APPROVE=1</c> writes it there.
/// </summary>
public class DiagramTests
{
    private const string Fence = "```\n";

    private static readonly (string Assembly, Dictionary<string, string[]> Folders)[] s_assemblies =
    [
        ("Tmem.Engine", Layers.Engine), ("Tmem.Control", Layers.Control), ("Tmem.Settings", Layers.Settings),
        ("Tmem.Fuse", Layers.Fuse), ("tmemctl", Layers.Ctl),
    ];

    [Fact]
    public void The_documented_diagram_is_that_of_the_layers()
    {
        var file = Path.Combine(Repository.Root, "docs", "architecture.md");
        var text = File.ReadAllText(file);
        var begin = text.IndexOf(Fence + "Tmem.Engine\n", StringComparison.Ordinal) + Fence.Length;
        Assert.True(begin >= Fence.Length, "docs/architecture.md has no block that begins with Tmem.Engine");
        var end = text.IndexOf(Fence, begin, StringComparison.Ordinal);
        var diagram = Diagram();
        if (Environment.GetEnvironmentVariable("TMEM_APPROVE") == "1")
            File.WriteAllText(file, text[..begin] + diagram + text[end..]);
        else
            Assert.Equal(diagram, text[begin..end]);
    }

    [Fact]
    public void No_folder_is_above_itself()
    {
        foreach (var (_, folders) in s_assemblies)
            foreach (var folder in folders.Keys) _ = Height(folders, folder, []);
    }

    /// <summary>Folder by folder, the lowest first, each with arrows to those it knows.</summary>
    private static string Diagram()
    {
        var diagram = new StringBuilder();
        foreach (var (assembly, folders) in s_assemblies)
        {
            diagram.Append(assembly).Append('\n');
            foreach (var (folder, known) in folders.OrderBy(entry => Height(folders, entry.Key, [])))
            {
                var arrow = known.Length == 0 ? "" : known.Length == folders.Count - 1 ? " -> all of these"
                    : $" -> {string.Join(", ", known)}";
                diagram.Append($"  {Name(folder),-13}{arrow}".TrimEnd()).Append('\n');
            }
        }
        return diagram.ToString();
    }

    private static string Name(string folder) => folder == Layers.Facade ? "the facade" : folder;

    /// <summary>The number of arrows between a folder and the bottom, on the longest way down.</summary>
    private static int Height(Dictionary<string, string[]> folders, string folder, HashSet<string> above)
    {
        Assert.True(above.Add(folder), $"{folder} is above itself");
        var height = folders[folder].Select(known => Height(folders, known, above) + 1).DefaultIfEmpty().Max();
        above.Remove(folder);
        return height;
    }
}
