using System.Reflection;

namespace Tmem.Architecture.Tests;

/// <summary>Each folder knows those that <see cref="Layers"/> allows, and no other; and the arrows form no cycle.</summary>
public class LayerTests
{
    [Fact]
    public void Engine_folders_know_only_what_lies_below_them() =>
        Hold("Tmem.Engine", "Tmem.Engine", Layers.Engine, Layers.EngineFacade);

    [Fact]
    public void Daemon_folders_know_only_what_lies_below_them() => Hold("tmemd", "Tmem.Fuse", Layers.Fuse, []);

    [Fact]
    public void Control_folders_know_only_what_lies_below_them() =>
        Hold("Tmem.Control", "Tmem.Control", Layers.Control, Layers.ControlFacade);

    [Fact]
    public void Folders_of_the_settings_know_only_what_lies_below_them() =>
        Hold("Tmem.Settings", "Tmem.Settings", Layers.Settings, Layers.SettingsFacade);

    [Fact]
    public void Folders_of_tmemctl_know_only_what_lies_below_them() => Hold("tmemctl", "Tmem.Ctl", Layers.Ctl, Layers.CtlFacade);

    private static void Hold(string assembly, string root, Dictionary<string, string[]> layers, string[] facade)
    {
        var listed = layers.SelectMany(layer => layer.Value.Select(below => $"{layer.Key} -> {below}")).ToHashSet();
        var found = Arrows.Of(Assembly.Load(assembly), root, facade);
        Assert.Empty(found.Except(listed));
        Assert.Empty(listed.Except(found));
        Assert.Empty(Arrows.Circle(layers));
    }
}
