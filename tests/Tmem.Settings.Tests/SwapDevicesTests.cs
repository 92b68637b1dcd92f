namespace Tmem.Settings.Tests;

/// <summary>Swap devices: that of [swap], and those of [[swap]], each by its pool.</summary>
public class SwapDevicesTests
{
    [Fact]
    public void Nobody_who_writes_nothing_has_one_that_is_on()
    {
        var swap = Assert.Single(Folder.Of("").Settings!.Swaps);
        Assert.Equal((false, "swap", false), (swap.On.Value, swap.Pool.Value, swap.IsNamed));
    }

    /// <summary>The default file has a [swap] without a key, and is no device beside those of another file.</summary>
    [Fact]
    public void Those_of_one_pool_in_several_files_are_one_device()
    {
        using var folder = new Folder();
        folder.Write("[store]\ncapacity = \"1G\"\n[swap]\n");
        folder.Write("[[swap]]\npool = \"a\"\non = true\nsize = \"50%\"\n[[swap]]\npool = \"b\"\npriority = 7", "10.toml");
        folder.Write("[[swap]]\npool = \"a\"\npriority = 3", "20.toml");
        var read = folder.Read();
        Assert.Empty(read.Faults);
        Assert.Equal([("a", true, 512L << 20, 3, true), ("b", false, (long?)null, 7, true)],
            read.Settings!.Swaps.Select(swap => (swap.Pool.Value, swap.On.Value, swap.Size.Value, swap.Priority.Value,
                swap.IsNamed)));
        Assert.Equal(["a", "b"], read.Shown.Where(one => one.Section == "swap").Select(one => one.Pool).Distinct());
    }

    [Fact]
    public void That_of_swap_stands_before_the_others()
    {
        using var folder = new Folder();
        folder.Write("[swap]\non = true");
        folder.Write("[[swap]]\npool = \"a\"\non = true", "10.toml");
        Assert.Equal([("swap", false), ("a", true)],
            folder.Read().Settings!.Swaps.Select(swap => (swap.Pool.Value, swap.IsNamed)));
    }
}
