using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace Tmem.Architecture.Tests;

/// <summary>Which folder of an assembly knows which: a folder is the namespace of the same name.</summary>
internal static class Arrows
{
    /// <param name="assembly">The assembly as it was built.</param>
    /// <param name="root">Its root namespace.</param>
    /// <param name="facade">Types of the root namespace that put the others together; the rest of it are words, which do not
    /// count.</param>
    /// <returns>One line for each arrow.</returns>
    public static SortedSet<string> Of(System.Reflection.Assembly assembly, string root, string[] facade)
    {
        var arrows = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in new ArchLoader().LoadAssembly(assembly).Build().Types)
        {
            if (FolderOf(type, root, facade) is not { } from) continue;
            foreach (var dependency in type.Dependencies)
            {
                if (FolderOf(dependency.Target, root, facade) is { } to && to != from && to != Layers.Words)
                    arrows.Add($"{from} -> {to}");
            }
        }
        return arrows;
    }

    /// <summary>A way along the arrows that returns to its start; empty if there is none.</summary>
    public static IReadOnlyList<string> Circle(Dictionary<string, string[]> layers)
    {
        var done = new HashSet<string>();
        foreach (var layer in layers.Keys)
        {
            if (Walk(layer, []) is { Count: > 0 } circle) return circle;
        }
        return [];

        IReadOnlyList<string> Walk(string layer, List<string> way)
        {
            if (way.Contains(layer)) return [.. way, layer];
            if (!done.Add(layer)) return [];
            way.Add(layer);
            foreach (var below in layers[layer])
            {
                if (Walk(below, way) is { Count: > 0 } circle) return circle;
            }
            way.RemoveAt(way.Count - 1);
            return [];
        }
    }

    private static string? FolderOf(IType type, string root, string[] facade)
    {
        var name = type.FullName.Split('+', '`', '<')[0];
        if (!name.StartsWith(root + ".", StringComparison.Ordinal)) return null;
        var parts = name[(root.Length + 1)..].Split('.');
        if (parts.Length > 1) return parts[0];
        return facade.Contains(parts[0]) ? Layers.Facade : Layers.Words;
    }
}
