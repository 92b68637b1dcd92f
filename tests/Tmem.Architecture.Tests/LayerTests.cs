using Xunit;

namespace Tmem.Architecture.Tests;

/// <summary>Each folder knows those that <see cref="Layers"/> says, and no other.</summary>
public class LayerTests
{
    [Fact]
    public void Engine_folders_know_only_what_lies_below_them()
    {
        var arrows = Arrows.Of(typeof(Engine.TmemEngine).Assembly, "Tmem.Engine", Layers.EngineFacade);
        Assert.Empty(arrows.Except(Listed(Layers.Engine)));
        Assert.Empty(Listed(Layers.Engine).Except(arrows));
    }

    [Fact]
    public void Engine_arrows_make_no_circle() => Assert.Empty(Arrows.Circle(Layers.Engine));

    private static SortedSet<string> Listed(Dictionary<string, string[]> layers) =>
        [.. layers.SelectMany(layer => layer.Value.Select(below => $"{layer.Key} -> {below}"))];
}
